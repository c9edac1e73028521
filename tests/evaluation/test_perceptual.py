import sys
from urllib.error import URLError

import pytest
import torch
from torch import nn

from kornia_srgan.errors import MissingExtraError, OfflineError
from kornia_srgan.evaluation import perceptual
from kornia_srgan.registry.catalog import METRICS


@pytest.mark.parametrize("name", ["lpips", "dists"])
def test_without_torchmetrics_the_extra_is_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, "torchmetrics.image", None)
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


def test_no_gradients_are_kept():
    class Metric(nn.Module):
        def forward(self, image, reference):
            assert not torch.is_grad_enabled()
            return (image - reference).abs().mean()

    assert perceptual._each(Metric(), torch.rand(3, 3, 4, 4), torch.rand(3, 3, 4, 4)).shape == (3,)
