import numpy as np
import pytest
import torch

from kornia_srgan.evaluation.evaluate import evaluate
from kornia_srgan.evaluation.spectral import ergas, sam
from kornia_srgan.registry.catalog import METRICS
from tests.helpers.tolerances import about


@pytest.fixture
def pair():
    g = torch.manual_seed(0)
    return torch.rand(2, 4, 24, 20, generator=g), torch.rand(2, 4, 24, 20, generator=g)


def test_sam_equals_torchmetrics(pair):
    functional = pytest.importorskip("torchmetrics.functional.image", reason="needs the extra 'perceptual'")
    theirs = [functional.spectral_angle_mapper(a[None], b[None]).item() for a, b in zip(*pair, strict=True)]
    assert torch.deg2rad(sam(*pair)).tolist() == about(theirs, "layer")


def test_ergas_equals_torchmetrics(pair):
    """Theirs multiplies by the ratio of LR's to HR's pixels, which Wald divides by."""
    functional = pytest.importorskip("torchmetrics.functional.image", reason="needs the extra 'perceptual'")
    theirs = [
        functional.error_relative_global_dimensionless_synthesis(a[None], b[None], ratio=1).item()
        for a, b in zip(*pair, strict=True)
    ]
    assert ergas(*pair, scale=1).tolist() == pytest.approx(theirs, rel=1e-5)
    assert ergas(*pair, scale=4).tolist() == pytest.approx([t / 4 for t in theirs], rel=1e-5)


def test_by_hand():
    red, yellow = torch.zeros(1, 3, 2, 2), torch.zeros(1, 3, 2, 2)
    red[:, 0] = 0.5
    yellow[:, :2] = 1
    assert sam(red, yellow).item() == pytest.approx(45)
    assert sam(red, red * 0.3).item() == about(0, "layer")  # brightness does not count
    grey = np.full((4, 4, 2), 0.5)
    assert ergas(grey + 0.1, grey, scale=4).item() == pytest.approx(100 / 4 * 0.2)


def test_black_pixels_have_no_spectrum():
    image = torch.rand(1, 3, 2, 2) + 0.1
    holed = image.clone()
    holed[..., 0, 0] = 0
    assert sam(holed, image).item() == about(0, "layer")
    assert sam(torch.zeros(1, 3, 2, 2), image).isnan().all()


def test_what_does_not_fit():
    with pytest.raises(ValueError, match="two channels or more"):
        sam(torch.rand(1, 1, 4, 4), torch.rand(1, 1, 4, 4))
    with pytest.raises(ValueError, match="one shape"):
        ergas(torch.rand(3, 4, 4), torch.rand(3, 4, 5), scale=2)


def test_in_an_evaluation_ergas_has_the_scale_of_the_row(tmp_path):
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)).save(
        tmp_path / "a.png"
    )
    rows = {scale: evaluate({}, tmp_path, scale=scale, metrics=("sam", "ergas")).rows[0] for scale in (2, 4)}
    assert rows[2].mean["sam"] > 0
    for scale, row in rows.items():
        fixed = evaluate({}, tmp_path, scale=scale, metrics=("ergas:scale=1",)).rows[0]
        assert row.mean["ergas"] == pytest.approx(fixed.mean["ergas:scale=1"] / scale)
    with pytest.raises(ValueError, match="depends on the factor"):
        METRICS.create("ergas")(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4))
