import inspect
import typing

import pytest

from kornia_srgan.errors import UnknownComponentError
from kornia_srgan.registry.catalog import GENERATORS, REGISTRIES, get_registry
from kornia_srgan.registry.entry import BUILTIN_SOURCE

BUILT_IN = [
    pytest.param(registry, entry, id=f"{registry.kind}-{entry.name}")
    for registry in REGISTRIES.values()
    for entry in registry.entries()
    if entry.source == BUILTIN_SOURCE
]


@pytest.mark.parametrize(("registry", "entry"), BUILT_IN)
def test_target_resolves_and_is_documented(registry, entry):
    factory = entry.load()
    assert callable(factory)
    assert entry.summary
    assert not entry.summary.endswith(".")
    doc = inspect.getdoc(factory)
    assert doc, f"{factory} has no docstring"
    assert "Args:" in doc or not entry.parameters(), f"the docstring of {factory} explains no arguments"


@pytest.mark.parametrize(("registry", "entry"), BUILT_IN)
def test_parameters_are_keyword_only_annotated_and_explained(registry, entry):
    doc = inspect.getdoc(entry.load()) or ""
    for parameter in entry.parameters().values():
        where = f"{entry.name}.{parameter.name}"
        assert parameter.kind is inspect.Parameter.KEYWORD_ONLY, f"{where} is not keyword-only"
        assert parameter.annotation is not inspect.Parameter.empty, f"{where} is not annotated"
        assert not isinstance(parameter.annotation, str), f"the type of {where} cannot be evaluated"
        assert f"{parameter.name}:" in doc, f"{where} is not in the docstring"


@pytest.mark.parametrize(("registry", "entry"), BUILT_IN)
def test_defaults_have_their_annotated_type(registry, entry):
    for parameter in entry.parameters().values():
        simple = typing.get_origin(parameter.annotation) is None and parameter.annotation in (int, str, bool)
        if simple and parameter.default is not inspect.Parameter.empty:
            assert type(parameter.default) is parameter.annotation, f"{entry.name}.{parameter.name}"


def test_kinds():
    assert list(REGISTRIES) == [
        "generator",
        "discriminator",
        "feature_extractor",
        "image_loss",
        "adversarial_loss",
        "augmentation",
        "resizer",
        "degradation",
        "degradation_stage",
        "metric",
    ]


@pytest.mark.parametrize("spelling", ["generator", "generators", "Generator", "image-losses", "image_loss"])
def test_registries_by_kind(spelling):
    assert get_registry(spelling).kind in ("generator", "image_loss")


def test_unknown_kind():
    with pytest.raises(UnknownComponentError, match="did you mean 'generator'"):
        get_registry("generatr")


def test_the_main_jobs_components_are_there():
    for kind, names in {
        "generator": ("srresnet", "edsr"),
        "discriminator": ("vgg",),
        "feature_extractor": ("timm",),
        "image_loss": ("mse", "l1", "charbonnier", "perceptual"),
        "adversarial_loss": ("vanilla",),
        "metric": ("psnr", "ssim", "niqe", "lpips", "dists"),
        "resizer": ("matlab_bicubic", "torch_bicubic", "kornia"),
    }.items():
        assert set(names) <= set(get_registry(kind).names()), kind
    assert GENERATORS.get("sr-resnet").name == "srresnet"
