"""`kornia-srgan prepare`: pairs of tiles as files."""

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.cli.app import run_command_line
from kornia_srgan.components.transforms.resize import MatlabBicubic
from kornia_srgan.data.tiles import cut_tiles, tile_names


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    noise = np.random.default_rng(0)
    for name, (h, w) in {"a.png": (40, 52), "sub/a.png": (33, 16), "tiny.bmp": (5, 9)}.items():
        Image.fromarray(noise.integers(0, 256, (h, w, 3), dtype=np.uint8)).save(folder / name)
    return folder


def read(path):
    return np.asarray(Image.open(path).convert("RGB"))


def prepare(photos, out, *options):
    return run_command_line(["prepare", str(photos), "-o", str(out), *map(str, options)])


def test_writes_pairs_of_tiles(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert prepare(photos, out, "--crop", 16) == 0
    hr = sorted(p.name for p in (out / "HR").iterdir())
    assert hr == sorted(p.name for p in (out / "LR_x4").iterdir())
    assert len(hr) == 2 * 3 + 2 * 1 + 1
    assert "a_0000.png" in hr
    assert "sub_a_0001.png" in hr
    image = read(photos / "a.png")
    np.testing.assert_array_equal(read(out / "HR" / "a_0004.png"), image[16:32, 16:32])
    for name in hr:
        tile = torch.from_numpy(read(out / "HR" / name).copy()).permute(2, 0, 1)[None].float() / 255
        small = (MatlabBicubic()(tile, (4, 4)) * 255).round().byte()[0].permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(read(out / "LR_x4" / name), small)
    assert "9 pairs of tiles (16x16 and 4x4) of 3 images" in capsys.readouterr().out


def test_the_default_is_96_and_24(tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    Image.new("RGB", (200, 100)).save(folder / "x.jpg")
    assert prepare(folder, tmp_path / "out") == 0
    assert [read(p).shape for p in (tmp_path / "out" / "HR").iterdir()] == [(96, 96, 3)] * 2
    assert [read(p).shape for p in (tmp_path / "out" / "LR_x4").iterdir()] == [(24, 24, 3)] * 2


def test_stride_and_scale_and_resizer(photos, tmp_path):
    out = tmp_path / "out"
    options = ("--crop", 16, "--scale", 2, "--stride", 8, "--resizer", "torch_bicubic")
    assert prepare(photos / "a.png", out, *options) == 0
    assert len(list((out / "HR").iterdir())) == len(range(0, 25, 8)) * len(range(0, 37, 8))
    assert {read(p).shape for p in (out / "LR_x2").iterdir()} == {(8, 8, 3)}


def test_refuses_a_folder_with_something_in_it(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert prepare(photos, out, "--crop", 16) == 0
    (out / "HR" / "mine.png").write_bytes(b"keep")
    assert prepare(photos, out, "--crop", 32) == 2
    assert "is not empty; choose another, or pass --overwrite" in capsys.readouterr().err
    assert prepare(photos / "tiny.bmp", out, "--crop", 32, "--overwrite") == 0
    assert sorted(p.name for p in (out / "HR").iterdir()) == ["mine.png", "tiny_0000.png"]


def test_never_replaces_its_sources(tmp_path, capsys):
    (tmp_path / "HR").mkdir()
    Image.new("RGB", (32, 32)).save(tmp_path / "HR" / "x_0000.png")
    assert prepare(tmp_path, tmp_path, "--crop", 16, "--overwrite") == 2
    assert "holds source images" in capsys.readouterr().err
    assert read(tmp_path / "HR" / "x_0000.png").shape == (32, 32, 3)


def test_damaged_files_are_named_and_skipped(photos, tmp_path, capsys):
    (photos / "text.png").write_text("no")
    assert prepare(photos, tmp_path / "out", "--crop", 16) == 0
    said = capsys.readouterr()
    assert "text.png" in said.err
    assert "1 file skipped" in said.out


def test_bad_input_gets_one_line(photos, tmp_path, capsys):
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "x.png").write_text("no")
    (tmp_path / "file").write_text("x")
    for arguments, said in (
        ([tmp_path / "nowhere", "-o", tmp_path / "o"], "does not exist"),
        ([photos, "-o", tmp_path / "o", "--crop", "30"], "crop 30 is not a multiple of --scale 4; try 28"),
        ([photos, "-o", tmp_path / "o", "--resizer", "matlab_bicubc"], "did you mean 'matlab_bicubic'?"),
        ([tmp_path / "text", "-o", tmp_path / "o"], "none of the 1 image files can be decoded"),
        ([photos, "-o", tmp_path / "file" / "o"], "cannot write to output folder"),
    ):
        assert run_command_line(["prepare", *map(str, arguments)]) == 2
        error = capsys.readouterr().err.strip()
        assert said in error
        assert len(error.splitlines()) == 1


def test_tiles_cover_the_grid():
    image = np.arange(7 * 9 * 3, dtype=np.uint8).reshape(7, 9, 3)
    tiles = list(cut_tiles(image, crop=3, stride=2))
    assert len(tiles) == 3 * 4
    np.testing.assert_array_equal(tiles[5], image[2:5, 2:5])


def test_names_are_unique(tmp_path):
    paths = [tmp_path / p for p in ("x/a.png", "x/a.jpg", "y/a.png", "x/b/a.png", "b.png")]
    names = tile_names(paths)
    assert len(set(names)) == 5
    assert names[0] == "a"
    assert names[4] == "b"
    alike = tile_names([tmp_path / f"a.{suffix}" for suffix in ("png", "jpg", "bmp", "gif", "tif", "webp")])
    assert len(set(alike)) == 6


def test_tiles_among_the_photographs_are_no_photographs(photos, capsys):
    out = photos / "tiles"
    assert prepare(photos, out, "--crop", 16) == 0
    first = capsys.readouterr().out
    assert prepare(photos, out, "--crop", 16, "--overwrite") == 0
    assert capsys.readouterr().out == first
    assert prepare(out / "HR", photos / "again", "--crop", 16) == 0  # named itself, it is what is meant
    assert "9 pairs of tiles" in capsys.readouterr().out
