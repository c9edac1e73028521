"""A snapshot of the public surface: a change here is a change for users, and belongs into CHANGELOG.md."""

import importlib
import importlib.util

import pytest

import kornia_srgan

PUBLIC = {
    "ADVERSARIAL_LOSSES",
    "AUGMENTATIONS",
    "DEGRADATIONS",
    "DEGRADATION_STAGES",
    "DISCRIMINATORS",
    "FEATURE_EXTRACTORS",
    "FeatureUpsampler",
    "GENERATORS",
    "IMAGE_LOSSES",
    "KorniaSRGANError",
    "METRICS",
    "NamedLoss",
    "PixelFormat",
    "RESIZERS",
    "Registry",
    "SuperResolve",
    "TrainConfig",
    "Upscaler",
    "UserError",
    "WeightSpec",
    "__version__",
    "as_kornia",
    "assemble",
    "discriminator_loss",
    "enlarge",
    "evaluate",
    "export_generator",
    "generator_loss",
    "get_registry",
    "load_config",
    "load_generator",
    "load_plugins",
    "load_weights",
    "make_batch",
    "model_card",
    "open_crops",
    "open_shards",
    "optimize_for_inference",
    "push_to_hub",
    "read_photo",
    "read_spec",
    "save_weights",
    "train",
    "upscale_file",
    "write_photo",
}


def test_snapshot():
    assert set(kornia_srgan.__all__) == PUBLIC
    assert len(kornia_srgan.__all__) == len(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_public_name_can_be_had_and_is_documented(name):
    value = getattr(kornia_srgan, name)
    assert value is not None
    if callable(value):
        assert value.__doc__
    assert name in dir(kornia_srgan)


def test_names_are_the_objects_of_their_modules():
    assert kornia_srgan.GENERATORS is importlib.import_module("kornia_srgan.registry.catalog").GENERATORS
    assert kornia_srgan.save_weights is importlib.import_module("kornia_srgan.weights.files").save_weights


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'SRGAN'"):
        kornia_srgan.SRGAN  # noqa: B018


def test_the_public_names_of_evaluation():
    from kornia_srgan import evaluation
    from kornia_srgan.evaluation import CropSheets, Report, compare_models, plot_pareto, to_latex

    assert {t.__name__ for t in (CropSheets, Report, compare_models, plot_pareto, to_latex)} == {
        *evaluation.__all__
    }
    with pytest.raises(AttributeError, match="has no attribute 'scores'"):
        evaluation.scores  # noqa: B018


def test_submodules_can_still_be_imported():
    from kornia_srgan import errors

    assert errors.UserError is kornia_srgan.UserError


def test_train_is_the_function_and_the_module_is_still_there():
    """`accelerate launch -m kornia_srgan.train` runs the module; nobody imports it."""
    assert callable(kornia_srgan.train)
    assert importlib.util.find_spec("kornia_srgan.train") is not None
