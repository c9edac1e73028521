import numpy as np
import pytest
from PIL import Image

from kornia_srgan.demo.preview import DETAIL, LONGEST, make_pairs
from kornia_srgan.photos.decode import read_photo
from kornia_srgan.photos.photo import Frame, Photo


def flat(height, width, value, *, space="RGB", dtype=np.uint8, alpha=None):
    channels = {"L": 1, "RGB": 3, "CMYK": 4}[space]
    opacity = None if alpha is None else np.full((height, width, 1), alpha, dtype)
    return Photo([Frame(np.full((height, width, channels), value, dtype), opacity)], space, "PNG")


def shown(path):
    return np.asarray(Image.open(path).convert("RGB")).astype(int)


def test_both_halves_are_of_one_size_and_show_their_own(tmp_path):
    whole, detail, reduced = make_pairs(flat(20, 30, 50), flat(80, 120, 200), tmp_path)
    assert not reduced
    for pair in (whole, detail):
        before, after = shown(pair.before), shown(pair.after)
        assert before.shape == after.shape == (80, 120, 3)
        assert abs(before - 50).max() <= 2
        assert abs(after - 200).max() <= 2


def test_large_results_are_reduced_and_the_detail_is_not(tmp_path):
    whole, detail, reduced = make_pairs(flat(600, 1000, 50), flat(2400, 4000, 200), tmp_path)
    assert reduced
    assert shown(whole.after).shape == (1200, 2000, 3)
    assert max(shown(whole.after).shape) <= LONGEST
    assert shown(detail.after).shape == (DETAIL[1], DETAIL[0], 3)


def test_the_detail_lies_where_the_detail_is_and_both_halves_agree(tmp_path):
    small = np.full((400, 600, 3), 128, np.uint8)
    small[300:340, 500:560] = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    large = small.repeat(4, 0).repeat(4, 1)
    _, detail, _ = make_pairs(*(Photo([Frame(p)], "RGB", "PNG") for p in (small, large)), tmp_path)
    before, after = shown(detail.before), shown(detail.after)
    busy = abs(after - 128).max(-1) > 20
    assert busy.sum() > 0.8 * 160 * 240
    # Shifted by one pixel of the photograph, the halves would agree less.
    here = abs(before - after).mean()
    assert here < abs(np.roll(before, 4, 1) - after).mean()
    assert here < abs(np.roll(before, -4, 1) - after).mean()
    assert here < abs(np.roll(before, 4, 0) - after).mean()
    assert here < abs(np.roll(before, -4, 0) - after).mean()


def test_the_halves_of_the_detail_lie_over_each_other(tmp_path):
    small = np.zeros((400, 600, 3), np.uint8)
    small[:, 310:] = 255
    small[205:] = 255 - small[205:]
    large = small.repeat(4, 0).repeat(4, 1)
    _, detail, _ = make_pairs(*(Photo([Frame(p)], "RGB", "PNG") for p in (small, large)), tmp_path)
    before, after = shown(detail.before)[..., 0] > 128, shown(detail.after)[..., 0] > 128
    for axis in (0, 1):  # the edges of the four fields, in pixels of the result
        along = [np.take(half, 0, 1 - axis) for half in (before, after)]
        first, second = (int(np.argmax(line != line[0])) for line in along)
        assert first > 0
        assert abs(first - second) <= 1


@pytest.mark.parametrize(("dtype", "value"), [(np.uint8, 128), (np.uint16, 128 * 257), (np.float32, 0.502)])
def test_every_depth(tmp_path, dtype, value):
    whole, _, _ = make_pairs(flat(4, 6, value, dtype=dtype), flat(16, 24, value, dtype=dtype), tmp_path)
    assert abs(shown(whole.after) - 128).max() <= 2


def test_grey_and_cmyk(tmp_path):
    whole, _, _ = make_pairs(flat(4, 6, 90, space="L"), flat(16, 24, 90, space="L"), tmp_path)
    assert abs(shown(whole.after) - 90).max() <= 2
    whole, _, _ = make_pairs(flat(4, 6, 0, space="CMYK"), flat(16, 24, 0, space="CMYK"), tmp_path)
    assert shown(whole.after).min() >= 253  # no ink


def test_what_is_transparent_shows_a_pattern(tmp_path):
    whole, _, _ = make_pairs(flat(20, 30, 10, alpha=0), flat(80, 120, 10, alpha=0), tmp_path)
    before, after = shown(whole.before), shown(whole.after)
    assert after.min() > 190
    assert after.max() - after.min() > 40
    assert abs(before - after).max() <= 2  # no larger a pattern under the half that was enlarged


def test_a_profile_is_applied(tmp_path):
    import io

    from PIL import ImageCms

    photo = flat(4, 6, 100)
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for icc in (b"damaged", lab):  # of no use for RGB: shown as it is
        odd = Photo(photo.frames, "RGB", "PNG", type(photo.metadata)(icc=icc))
        whole, _, _ = make_pairs(odd, odd, tmp_path)
        assert abs(shown(whole.after) - 100).max() <= 2
    file = io.BytesIO()
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.new("CMYK", (6, 4), (0, 0, 0, 128)).save(file, "JPEG", icc_profile=profile)
    odd = read_photo(file.getvalue())
    assert shown(make_pairs(odd, odd, tmp_path)[0].after).shape == (4, 6, 3)


@pytest.mark.parametrize("size", [(1, 1), (1, 1500), (1500, 1), (3, 5)])
def test_odd_shapes(tmp_path, size):
    whole, detail, _ = make_pairs(flat(*size, 10), flat(4 * size[0], 4 * size[1], 10), tmp_path)
    for pair in (whole, detail):
        assert shown(pair.before).shape == shown(pair.after).shape
