from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from kornia_srgan.errors import MissingExtraError, OfflineError, UserError
from kornia_srgan.evaluation import perceptual
from kornia_srgan.registry.catalog import METRICS
from tests.helpers.extras import pretend_missing
from tests.helpers.tolerances import about


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_without_torchmetrics_the_extra_is_named(monkeypatch, name):
    pretend_missing(monkeypatch, "torchmetrics")
    with pytest.raises(MissingExtraError, match=r"pip install 'kornia-srgan\[perceptual\]'"):
        METRICS.create(name)


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_without_network_the_way_out_is_named(monkeypatch, name):
    pytest.importorskip("torchmetrics", reason="needs the extra 'perceptual'")

    def offline(*_, **__):
        raise URLError("Temporary failure in name resolution")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    with pytest.raises(OfflineError, match=r"cannot be downloaded .*name resolution.*checkpoints"):
        METRICS.create(name)


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_scores_image_by_image(monkeypatch, name):
    """With a random backbone, since the ImageNet weights are not here: equal images score 0, others more."""
    pytest.importorskip("torchmetrics", reason="needs the extra 'perceptual'")
    from torchvision import models

    for backbone in ("alexnet", "vgg16"):
        make = getattr(models, backbone)
        random = lambda *_, make=make, **__: make(weights=None)  # noqa: E731
        monkeypatch.setattr(models, backbone, random)
        monkeypatch.setattr(f"torchmetrics.functional.image.dists.{backbone}", random, raising=False)
    torch.manual_seed(0)
    metric = METRICS.create(name)
    a, b = torch.rand(2, 3, 64, 64), torch.rand(2, 3, 64, 64)
    b[0] = a[0]
    scores = metric(a, b)
    assert scores.shape == (2,)
    assert scores.dtype == torch.float64
    assert scores[0].abs().item() < 1e-4
    assert scores[1].item() > 1e-3
    assert scores[1].item() == pytest.approx(metric(a[1:], b[1:]).item(), rel=1e-4)


@pytest.mark.parametrize(
    ("name", "net", "suffix"),
    [("lpips", "alexnet", ".pth"), ("dists", "vgg16", ".safetensors"), ("lpips", "squeezenet1_1", ".pth")],
)
def test_a_local_backbone(monkeypatch, tmp_path, name, net, suffix):
    """The file's convolutions are what scores: nothing is downloaded."""
    pytest.importorskip("torchmetrics", reason="needs the extra 'perceptual'")
    from torchvision import models

    monkeypatch.setattr(
        "torchvision.models._api.load_state_dict_from_url", lambda *_, **__: pytest.fail("it downloads")
    )
    torch.manual_seed(0)
    original = getattr(models, net)(weights=None)
    state = {f"features.{key}": value for key, value in original.features.state_dict().items()}
    path = tmp_path / f"net{suffix}"
    if suffix == ".pth":
        torch.save(state | {"classifier.6.weight": torch.zeros(1)}, path)
    else:
        save_file(state, path)
    arguments = {"net": "squeeze" if net.startswith("sq") else "alex"} if name == "lpips" else {}
    metric = METRICS.create(name, backbone=str(path), **arguments)
    assert getattr(models, net).__name__ == net  # nothing stays swapped
    a, b = torch.rand(2, 1, 3, 64, 64)
    assert metric(a, a).item() == about(0, "network")
    with monkeypatch.context() as patched:
        patched.setattr(models, net, lambda **_: original.eval())
        patched.setattr(
            f"torchmetrics.functional.image.dists.{net}", lambda **_: original.eval(), raising=False
        )
        expected = METRICS.create(name, **arguments)(a, b).item()
    assert metric(a, b).item() == pytest.approx(expected, rel=1e-5)
    assert f"net{suffix} sha256 " in metric.version


def test_a_backbone_that_is_none_is_named(tmp_path):
    pytest.importorskip("torchmetrics", reason="needs the extra 'perceptual'")
    with pytest.raises(UserError, match=r"nothing\.pth does not exist"):
        METRICS.create("lpips", backbone=str(tmp_path / "nothing.pth"))
    torch.save({"features.0.weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth does not hold torchvision's vgg16"):
        METRICS.create("dists", backbone=str(tmp_path / "other.pth"))
    (tmp_path / "text.pth").write_text("hello")
    with pytest.raises(UserError, match=r"text\.pth cannot be read"):
        METRICS.create("dists", backbone=str(tmp_path / "text.pth"))


def test_no_gradients_are_kept():
    class Metric(nn.Module):
        def forward(self, image, reference):
            assert not torch.is_grad_enabled()
            return (image - reference).abs().mean()

    assert perceptual._each(Metric(), torch.rand(3, 3, 4, 4), torch.rand(3, 3, 4, 4)).shape == (3,)
