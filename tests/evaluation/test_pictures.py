import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.errors import UserError
from kornia_srgan.evaluation.evaluate import ImageResult
from kornia_srgan.evaluation.pictures import CropSheets, detailed_window


def result(model, sr, hr, image="a"):
    return ImageResult(model, "Set", 4, image, sr, hr, {"psnr": 20.0})


def test_the_window_is_where_the_detail_is():
    image = torch.full((1, 3, 80, 100), 0.5)
    image[..., 40:56, 60:76] = torch.rand(3, 16, 16, generator=torch.manual_seed(0))
    rows, columns = detailed_window(image, 16)
    assert (rows, columns) == (slice(40, 56), slice(60, 76))


def test_a_small_image_is_shown_whole():
    assert detailed_window(torch.rand(1, 3, 10, 12), 64) == (slice(0, 10), slice(0, 12))


def test_sheets_show_every_model_then_the_truth(tmp_path):
    hr = torch.rand(1, 3, 32, 32)
    sheets = CropSheets(tmp_path / "crops", size=16, zoom=2)
    for image in ("a", "b"):
        sheets.add(result("black", torch.zeros_like(hr), hr, image))
        sheets.add(result("white", torch.full_like(hr, 2.0), hr, image))  # out of range is clamped
    assert [p.name for p in sheets.write()] == ["Set_x4_a.png", "Set_x4_b.png"]
    sheet = np.asarray(Image.open(tmp_path / "crops/Set_x4_a.png"))
    black, white, truth = (sheet[:32, i * 36 : i * 36 + 32] for i in range(3))
    assert black.max() == 0
    assert white.min() == 255
    rows, columns = detailed_window(hr, 16)
    expected = (hr[0, :, rows, columns] * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(truth[::2, ::2] - expected).max() <= 1
    assert sheet[32:].min() < 100  # captions


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    sheets = CropSheets(tmp_path / "file")
    sheets.add(result("m", torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)))
    with pytest.raises(UserError, match="cannot write"):
        sheets.write()
