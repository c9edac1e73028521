import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.errors import UserError
from kornia_srgan.evaluation.evaluate import ImageResult
from kornia_srgan.evaluation.pictures import CropSheets
from kornia_srgan.evaluation.windows import CropWindow, detailed_window, differing_window, parse_window
from tests.helpers.tolerances import about

FRAME = (214, 39, 40)


def result(model, sr, hr, image="a", dataset="Set"):
    return ImageResult(model, dataset, 4, image, sr, hr, {"psnr": 20.0})


def pixels(path):
    return np.asarray(Image.open(path).convert("RGB"))


def test_the_window_is_where_the_detail_is():
    image = torch.full((1, 3, 80, 100), 0.5)
    image[..., 40:56, 60:76] = torch.rand(3, 16, 16, generator=torch.manual_seed(0))
    assert detailed_window(image, 16) == CropWindow(60, 40, 16, 16)


def test_the_window_is_where_models_differ():
    image = torch.rand(1, 3, 80, 100, generator=torch.manual_seed(0))
    other = image.clone()
    other[..., 24:40, 8:24] = 1 - other[..., 24:40, 8:24]
    window, much = differing_window([image, image, other], 16)
    assert window == CropWindow(8, 24, 16, 16)
    expected = np.stack([image, image, other]).std(axis=0)[0].mean(axis=0)[24:40, 8:24].mean()
    assert much == about(expected, "elementwise")


def test_a_small_image_is_shown_whole():
    assert detailed_window(torch.rand(1, 3, 10, 12), 64) == CropWindow(0, 0, 12, 10)


def test_windows_by_hand():
    assert parse_window("baboon=120,80", 96) == ("baboon", CropWindow(120, 80, 96, 96))
    assert parse_window("Set14/a=b=1,2,8", 96) == ("Set14/a=b", CropWindow(1, 2, 8, 8))
    for text in ("baboon", "baboon=1", "=1,2", "baboon=1,2,0", "baboon=-1,2"):
        with pytest.raises(UserError, match=r"\[SET/\]IMAGE=LEFT,TOP\[,SIDE\]"):
            parse_window(text, 96)


def test_a_window_that_leaves_the_image_is_moved():
    assert CropWindow(90, 5, 16, 16).within(100, 12) == CropWindow(84, 0, 16, 12)


def test_sheets_show_every_model_then_the_truth(tmp_path):
    hr = torch.rand(1, 3, 64, 64)
    sheets = CropSheets(tmp_path / "crops", size=48, zoom=2, whole=False)
    for image in ("a", "b"):
        sheets.add(result("black", torch.zeros_like(hr), hr, image))
        sheets.add(result("white", torch.full_like(hr, 2.0), hr, image))  # out of range is clamped
    assert [p.name for p in sheets.write()] == ["Set_x4_a.png", "Set_x4_b.png"]
    sheet = pixels(tmp_path / "crops/Set_x4_a.png")
    black, white, truth = (sheet[:96, i * 102 : i * 102 + 96] for i in range(3))
    assert black.max() == 0
    assert white.min() == 255
    expected = (detailed_window(hr, 48).cut(hr)[0] * 255).round().permute(1, 2, 0).numpy()
    assert np.abs(truth[::2, ::2] - expected).max() <= 1
    assert sheet[96:].min() < 100  # captions


def test_the_place_in_the_whole_image(tmp_path):
    """The frame on the left, scaled, is where the crop was cut."""
    hr = torch.full((1, 3, 100, 80), 0.5)
    sheets = CropSheets(tmp_path, zoom=2, windows={"Set/a": CropWindow(20, 40, 48, 48)})
    for model in ("one", "two", "three"):
        sheets.add(result(model, hr, hr))
    (path,) = sheets.write()
    sheet = pixels(path)
    height = sheet.shape[0] - 38  # of the whole image: all but the captions
    rows, columns = np.nonzero((sheet == FRAME).all(-1))
    factor = height / 100
    assert (rows.min(), rows.max()) == (round(40 * factor), round(88 * factor))
    assert (columns.min(), columns.max()) == (round(20 * factor), round(68 * factor))


def test_only_the_images_chosen_by_hand_are_shown_and_a_wrong_name_is_told(tmp_path):
    hr = torch.rand(1, 3, 32, 32)
    window = CropWindow(0, 0, 16, 16)
    sheets = CropSheets(tmp_path, windows={"b": window, "Set/c": window, "bird": window})
    for image in "abc":
        sheets.add(result("m", hr, hr, image, "Set q75"))
    with pytest.raises(UserError, match="no set has an image 'bird'; the other sheets were written"):
        sheets.write()
    assert sorted(p.name for p in tmp_path.glob("*.png")) == ["Set_q75_x4_b.png", "Set_q75_x4_c.png"]


def test_the_best_are_those_that_differ_most(tmp_path):
    hr = torch.rand(1, 3, 32, 32, generator=torch.manual_seed(0))
    sheets = CropSheets(tmp_path, size=16, choose="difference", best=2)
    for image, gap in (("a", 0.1), ("b", 0.0), ("c", 0.3)):
        sheets.add(result("bicubic", torch.zeros_like(hr), hr, image))  # differs from all, and does not count
        sheets.add(result("one", torch.full_like(hr, 0.5), hr, image))
        sheets.add(result("two", torch.full_like(hr, 0.5 + gap), hr, image))
    assert [p.name for p in sheets.write()] == ["Set_x4_c.png", "Set_x4_a.png"]


@pytest.mark.parametrize("models", [1, 2])
def test_bicubic_alone_or_with_one_model(tmp_path, models):
    hr = torch.rand(1, 3, 32, 32)
    sheets = CropSheets(tmp_path, size=16, choose="difference")
    for model in ("bicubic", "one")[:models]:
        sheets.add(result(model, torch.zeros_like(hr), hr))
    assert len(sheets.write()) == 1


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    sheets = CropSheets(tmp_path / "file")
    sheets.add(result("m", torch.rand(1, 3, 16, 16), torch.rand(1, 3, 16, 16)))
    with pytest.raises(UserError, match="cannot write"):
        sheets.write()
