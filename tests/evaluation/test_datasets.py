import numpy as np
import pytest
from PIL import Image

from kornia_srgan.errors import DataError
from kornia_srgan.evaluation.datasets import find_sets
from kornia_srgan.photos.outputs import mark_results


def put(*paths):
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(path)


def pairs(found):
    return {image.name: image.lr and image.lr.name for image in found.images}


@pytest.mark.parametrize(
    ("hr", "lr"),
    [
        ("HR/baby.png", "LRx4/baby.png"),
        ("HR/baby.png", "LRx4/babyx4.png"),
        ("GT/baby.png", "LR_bicubic/X4/babyx4.png"),
        ("original/baby.png", "LRbicx4/baby.png"),
        ("HR/baby.png", "LR/x4/baby_x4.png"),
        ("HR/baby.png", "LR/baby_LR.png"),
        ("HR/baby.png", "x4/baby.png"),
        ("GTmod12/baby.png", "LR_bicubic_x4/baby.png"),
        ("DIV2K_valid_HR/baby.png", "DIV2K_valid_LR_bicubic/X4/babyx4.png"),
        ("baby_SRF_4_HR.png", "baby_SRF_4_LR.png"),
        ("image_SRF_4/baby_SRF_4_HR.png", "image_SRF_4/baby_SRF_4_LR.png"),
    ],
)
def test_usual_layouts(tmp_path, hr, lr):
    put(tmp_path / hr, tmp_path / lr)
    (found,) = find_sets(tmp_path, 4)
    assert pairs(found) == {"baby": lr.rsplit("/", 1)[-1]}
    assert found.lr_source == "files"


def test_of_several_splits_the_one_for_validation(tmp_path):
    for split in ("train", "valid"):
        put(
            tmp_path / f"DIV2K_{split}_HR/{split}.png",
            tmp_path / f"DIV2K_{split}_LR_bicubic/X4/{split}x4.png",
        )
    (found,) = find_sets(tmp_path, 4)
    assert pairs(found) == {"valid": "validx4.png"}
    assert found.images[0].lr == tmp_path / "DIV2K_valid_LR_bicubic/X4/validx4.png"


def test_pairs_of_a_camera_side_by_side(tmp_path):
    put(*(tmp_path / f"Canon/Test/4/Canon_{n}_{kind}.png" for n in ("001", "002") for kind in ("HR", "LR4")))
    (found,) = find_sets(tmp_path / "Canon/Test/4", 4)
    assert found.name == "Test 4"
    assert pairs(found) == {"Canon_001": "Canon_001_LR4.png", "Canon_002": "Canon_002_LR4.png"}


def test_names_that_end_in_hr_are_no_pairs_by_themselves(tmp_path):
    put(tmp_path / "a_HR.png", tmp_path / "b.png")
    assert pairs(find_sets(tmp_path, 4)[0]) == {"a_HR": None, "b": None}


def test_hr_alone(tmp_path):
    put(tmp_path / "b.png", tmp_path / "a.png")
    (found,) = find_sets(tmp_path, 4)
    assert pairs(found) == {"a": None, "b": None}
    assert found.lr_source == "matlab_bicubic"


def test_a_sets_hr_folder_has_the_sets_name(tmp_path):
    put(tmp_path / "Set5/HR/a.png")
    assert find_sets(tmp_path / "Set5/HR", 4)[0].name == "Set5"
    assert find_sets(tmp_path / "Set5", 4)[0].name == "Set5"


def test_lr_of_another_scale_is_left_alone(tmp_path):
    put(tmp_path / "HR/a.png", tmp_path / "LRx2/a.png", tmp_path / "LRx4/a.png")
    assert find_sets(tmp_path, 2)[0].images[0].lr == tmp_path / "LRx2/a.png"
    assert find_sets(tmp_path, 4)[0].images[0].lr == tmp_path / "LRx4/a.png"
    assert find_sets(tmp_path, 3)[0].images[0].lr is None


def test_srf_of_another_scale_is_left_alone(tmp_path):
    put(*(tmp_path / f"image_SRF_{s}/a_SRF_{s}_{k}.png" for s in (2, 4) for k in ("HR", "LR")))
    assert find_sets(tmp_path, 2)[0].images[0].lr == tmp_path / "image_SRF_2/a_SRF_2_LR.png"


def test_a_folder_of_sets_in_natural_order(tmp_path):
    put(tmp_path / "Set14/HR/a.png", tmp_path / "Set5/HR/a.png", tmp_path / "BSD100/a.png")
    assert [s.name for s in find_sets(tmp_path, 4)] == ["BSD100", "Set5", "Set14"]


def test_missing_folder(tmp_path):
    with pytest.raises(DataError, match="does not exist"):
        find_sets(tmp_path / "nowhere", 4)


def test_empty_folder_says_what_is_expected(tmp_path):
    with pytest.raises(DataError, match="HR/ with LRx4/"):
        find_sets(tmp_path, 4)


def test_missing_lr_image_is_named(tmp_path):
    put(tmp_path / "HR/a.png", tmp_path / "HR/b.png", tmp_path / "LRx4/a.png")
    with pytest.raises(DataError, match=r"no LR image for b\.png \(1 of 2 missing\)"):
        find_sets(tmp_path, 4)


def test_results_of_upscale_are_no_hr_images_and_no_sets(tmp_path, caplog):
    put(tmp_path / "photos/a.png", tmp_path / "photos/a_x4.png")
    mark_results([tmp_path / "photos/a_x4.png"])
    (found,) = find_sets(tmp_path / "photos", 4)
    assert [image.name for image in found.images] == ["a"]
    put(tmp_path / "sets/Set5/baby.png", tmp_path / "sets/large/baby_x4.png")
    mark_results([tmp_path / "sets/large/baby_x4.png"])
    assert [s.name for s in find_sets(tmp_path / "sets", 4)] == ["Set5"]
    assert "large" in caplog.text
    (judged,) = find_sets(tmp_path / "sets/large", 4)  # named itself, it is what is meant
    assert [image.name for image in judged.images] == ["baby_x4"]
