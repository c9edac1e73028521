import numpy as np
import pytest
from PIL import Image

from kornia_srgan.errors import DataError, UserError
from kornia_srgan.evaluation.evaluate import evaluate


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


@pytest.fixture
def hr(tmp_path):
    """Two images of 42x45 pixels; x4 leaves 40x44."""
    rng = np.random.default_rng(0)
    pixels = {name: rng.integers(0, 256, (42, 45, 3), dtype=np.uint8) for name in ("a", "a_b")}
    for name, image in pixels.items():
        save(tmp_path / f"Set/{name}.png", image)
    return pixels


@pytest.mark.parametrize("place", ["", "Set"])
@pytest.mark.parametrize("ending", ["", "x4", "_SwinIR", "_x4_out"])
def test_images_of_another_tool_are_paired_by_name(tmp_path, hr, place, ending):
    for name, image in hr.items():
        save(tmp_path / "out" / place / f"{name}{ending}.png", image)
    report = evaluate({}, tmp_path / "Set", images={"other": tmp_path / "out"})
    row = report.rows[1]
    assert row.model == "other"
    assert [i.metrics["psnr"] for i in row.images] == [float("inf")] * 2
    assert row.parameters is None
    assert row.seconds == 0


def test_images_may_have_the_size_of_the_cropped_hr(tmp_path, hr):
    for name, image in hr.items():
        save(tmp_path / f"out/{name}.png", image[:40, :44])
    row = evaluate({}, tmp_path / "Set", images={"other": tmp_path / "out"}).rows[1]
    assert row.mean["ssim"] == pytest.approx(1)


def test_levels_have_folders_of_their_own(tmp_path, hr):
    for level in ("clean", "q90", "q75", "q50n3", "n8"):
        for name, image in hr.items():
            save(tmp_path / f"out/{level}/{name}.png", image if level == "q75" else 255 - image)
    report = evaluate({}, tmp_path / "Set", images={"other": tmp_path / "out"}, protocol="photo")
    perfect = [r.dataset for r in report.rows if r.model == "other" and r.mean["ssim"] > 0.99]
    assert perfect == ["Set q75"]
    (tmp_path / "out/n8").rename(tmp_path / "out/n9")
    with pytest.raises(DataError, match=r"images other: no images for Set n8 in .*Set/n8 or .*n8"):
        evaluate({}, tmp_path / "Set", images={"other": tmp_path / "out"}, protocol="photo")


def test_what_is_wrong_is_named(tmp_path, hr):
    out = tmp_path / "out"
    with pytest.raises(DataError, match=r"images other: .* does not exist"):
        evaluate({}, tmp_path / "Set", images={"other": out})
    save(out / "a.png", hr["a"])
    with pytest.raises(DataError, match=r"has no image for a_b of Set \(1 of 2 missing\)"):
        evaluate({}, tmp_path / "Set", images={"other": out})
    save(out / "a_b_1.png", hr["a_b"])
    save(out / "a_b_2.png", hr["a_b"])
    with pytest.raises(DataError, match=r"several images for a_b: a_b_1\.png, a_b_2\.png"):
        evaluate({}, tmp_path / "Set", images={"other": out})
    (out / "a_b_2.png").unlink()
    save(out / "a.png", hr["a"][:20])
    seen = []
    with pytest.raises(DataError, match=r"a\.png has 45x20 pixels; a at x4 has 44x40"):
        evaluate({}, tmp_path / "Set", images={"other": out}, progress=lambda *who: seen.append(who))
    assert seen == []  # before any work
    with pytest.raises(UserError, match="two rows would be called 'bicubic'"):
        evaluate({}, tmp_path / "Set", images={"bicubic": out})
