"""Scenes of several bands through weights: the right place on earth, no seam, nothing lost in silence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kornia_srgan.errors import ImageError, WeightsError
from kornia_srgan.inference.gaps import fill_gaps
from kornia_srgan.inference.recipe import load_network
from kornia_srgan.inference.rescale import Rescaler, Wanted
from kornia_srgan.inference.scenes import upscale_scene
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.rasters.read import read_raster
from kornia_srgan.rasters.scene import SceneWindow, open_scene
from kornia_srgan.rasters.stored import to_stored
from tests.helpers.extras import pretend_missing
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.scenes import BANDS, scene_values, write_scene
from tests.helpers.tiny_weights import save_band_weights, save_tiny_weights


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_band_weights(tmp_path / "four.safetensors")


@pytest.fixture
def enlarger(weights: Path) -> Rescaler:
    return Rescaler(Upscaler.from_pretrained(weights), Wanted())


def test_a_geotiff_lies_at_the_same_place(weights: Path, tmp_path: Path, capsys: Any) -> None:
    rasterio = pytest.importorskip("rasterio")
    values = scene_values(60, 50)
    values[:, 20:30, 10:15] = 65535  # no data
    source = write_scene(tmp_path / "in" / "scene.tif", values)
    result = invoke(capsys, "upscale", source, "-o", tmp_path / "out", "--weights", weights)
    assert result.code == 0, result.err
    with rasterio.open(source) as before, rasterio.open(tmp_path / "out" / "scene_x4.tif") as after:
        assert (after.width, after.height, after.count) == (200, 240, 4)
        assert after.bounds == before.bounds
        assert after.crs == before.crs
        assert after.res == (2.5, 2.5)
        assert after.descriptions == BANDS
        assert after.nodata == 65535
        assert after.dtypes == before.dtypes
        assert after.tags()["SATELLITE"] == "made up"
        written = after.read()
    gaps = np.repeat(np.repeat(values == 65535, 4, 1), 4, 2)
    assert (written[gaps] == 65535).all()
    assert (written[~gaps] != 65535).all()
    assert abs(written[~gaps].mean() - values[values != 65535].mean()) < 1500


@pytest.mark.parametrize("window", [7, 16])
def test_windows_leave_no_seam(enlarger: Rescaler, tmp_path: Path, window: int) -> None:
    values = scene_values(40, 37).astype(np.float32)
    values[1, 11:18, 5:9] = np.nan
    np.save(tmp_path / "in.npy", values)
    for name, side in (("whole", 512), ("cut", window)):
        upscale_scene(enlarger, tmp_path / "in.npy", tmp_path / f"{name}.npy", window=side)
    whole, cut = np.load(tmp_path / "whole.npy"), np.load(tmp_path / "cut.npy")
    assert whole.shape == (4, 160, 148)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(cut, whole, atol=0.02)  # of 10000
    assert np.isnan(whole[1, 44:72, 20:36]).all()
    assert np.isnan(whole).sum() == 16 * 28


def test_arrays_keep_their_axes_and_what_is_out_of_range_is_told(enlarger: Rescaler, tmp_path: Path) -> None:
    np.save(tmp_path / "in.npy", scene_values(12, 10).transpose(1, 2, 0) + 8000)
    report = upscale_scene(enlarger, tmp_path / "in.npy", tmp_path / "out.npy")
    result = np.load(tmp_path / "out.npy")
    assert (result.shape, result.dtype) == ((48, 40, 4), np.uint16)
    assert report.size == (48, 40)
    assert "lie outside 0 to 10000" in report.notes[0]


def test_no_band_is_left_out_or_guessed(weights: Path, enlarger: Rescaler, tmp_path: Path, capsys: Any):
    np.save(tmp_path / "three.npy", scene_values(12, 10, bands=3))
    with pytest.raises(ImageError, match="has 3 bands, the weights are for 4 channels of 0 to 10000"):
        upscale_scene(enlarger, tmp_path / "three.npy", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()
    with pytest.raises(WeightsError, match="for images of 4 channels of 0 to 10000, not for RGB photographs"):
        load_network(weights)
    line = ("upscale", tmp_path / "three.npy", "-o", tmp_path / "out", "--weights", weights)
    assert_user_error(invoke(capsys, *line, "--format", "png"), "are written as .tif or .npy")
    assert_user_error(invoke(capsys, *line), "has 3 bands, the weights are for 4")


def test_a_band_that_gdal_takes_for_opacity_hides_nothing(tmp_path: Path) -> None:
    rasterio = pytest.importorskip("rasterio")
    values = scene_values(24, 20).astype(np.uint8)
    values[3, :12] = 0
    source = write_scene(tmp_path / "in.tif", values, nodata=None)
    with rasterio.open(source, "r+") as dataset:
        names = ("red", "green", "blue", "alpha")
        dataset.colorinterp = [rasterio.enums.ColorInterp[name] for name in names]
    with open_scene(source) as scene:
        np.testing.assert_array_equal(scene.read(SceneWindow(0, 0, 24, 20)), values)
        assert scene.notes(tmp_path / "out.tif") == ()
    np.testing.assert_array_equal(read_raster(source), values)


def test_values_that_would_read_as_no_data_move_by_a_step() -> None:
    values = np.array([[[-3.0, 0.4, 7.0, 70000.0]]])
    assert to_stored(values, np.dtype(np.uint16), None, 0.0).tolist() == [[[1, 1, 7, 65535]]]
    assert to_stored(values, np.dtype(np.uint16), None, 65535.0).tolist() == [[[0, 0, 7, 65534]]]
    gaps = np.array([[[True, False, False, False]]])
    assert np.isnan(to_stored(values, np.dtype(np.float32), gaps, None)).tolist() == [
        [[True, False, False, False]]
    ]


def test_gaps_are_filled_from_around() -> None:
    unit = np.full((1, 30, 30), 0.2)
    gaps = np.zeros(unit.shape, bool)
    gaps[:, 5:, :] = True
    filled = fill_gaps(unit, gaps, 0.5, steps=3)
    np.testing.assert_allclose(filled[0, :8], 0.2)
    assert (filled[0, 8:] == 0.5).all()


@pytest.fixture
def rgb_map(tmp_path: Path) -> Path:
    """Maps of three and four bands of 8 bits, with a corner without data; the fourth is of no kind."""
    pytest.importorskip("rasterio")
    values = (scene_values(30, 26) // 45 + 20).astype(np.uint8)
    values[:, :6, :5] = 0
    write_scene(tmp_path / "maps/three.tif", values[:3], nodata=0, photometric="RGB")
    write_scene(tmp_path / "maps/four.tif", values, nodata=0, photometric="RGB", ALPHA="NO")
    return tmp_path / "maps"


def test_weights_for_photographs_keep_a_maps_place(rgb_map: Path, tmp_path: Path, capsys: Any) -> None:
    import rasterio

    weights = save_tiny_weights(tmp_path)
    report = tmp_path / "report.json"
    line = ("upscale", rgb_map, "-o", tmp_path / "out", "--weights", weights, "--json", report)
    result = invoke(capsys, *line)
    assert result.code == 0, result.err
    assert "band 4 is resized by a cubic kernel and kept: the weights know colours only" in result.err
    assert result.err.count("note:") == 1
    with rasterio.open(rgb_map / "four.tif") as before, rasterio.open(tmp_path / "out/four_x4.tif") as after:
        assert (after.bounds, after.crs, after.nodata) == (before.bounds, before.crs, 0)
        assert (after.shape, after.res, after.count) == ((120, 104), (2.5, 2.5), 4)
        assert (after.descriptions, after.colorinterp) == (BANDS, before.colorinterp)
        four, source = after.read(), before.read()
    gaps = (source == 0).repeat(4, 1).repeat(4, 2)
    assert ((four == 0) == gaps).all()
    with rasterio.open(tmp_path / "out/three_x4.tif") as after:
        assert np.array_equal(after.read(), four[:3])
    upscaler = Upscaler.from_pretrained(weights)
    inner = np.ascontiguousarray(source[:3, 12:].transpose(1, 2, 0))  # away from what has no data
    alone = upscaler(inner).transpose(2, 0, 1).astype(int)
    assert np.abs(alone[:, 32:] - four[:3, 80:]).max() <= 1
    assert np.abs(four[3, 1::4, 1::4].astype(int) - source[3])[8:, 8:].max() < 12
    written = [entry["notes"] for entry in json.loads(report.read_text())["files"]]
    assert sum(len(notes) for notes in written) == 1


@pytest.mark.parametrize(("option", "size"), [("--scale=2", (60, 52)), ("--width=99", (114, 99))])
def test_other_sizes_keep_it_too(rgb_map: Path, tmp_path: Path, capsys: Any, option: str, size: Any) -> None:
    import rasterio

    line = ("upscale", rgb_map / "three.tif", "-o", tmp_path / "out.tif", option)
    assert invoke(capsys, *line, "--weights", save_tiny_weights(tmp_path)).code == 0
    with rasterio.open(rgb_map / "three.tif") as before, rasterio.open(tmp_path / "out.tif") as after:
        assert after.shape == size
        np.testing.assert_allclose(after.bounds, before.bounds)


def test_what_loses_the_place_is_said_in_one_note(
    rgb_map: Path, tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = save_tiny_weights(tmp_path)
    line = ("upscale", rgb_map / "three.tif", "--weights", weights, "-o")
    result = invoke(capsys, *line, tmp_path / "out.png")
    assert result.err.count("note:") == 1
    assert "its map position (GeoTIFF) is left out" in result.err
    pretend_missing(monkeypatch, "rasterio")
    result = invoke(capsys, *line, tmp_path / "out.tif")
    assert result.code == 0
    assert result.err.count("note:") == 1
    assert "kornia-srgan[geo]" in result.err
    four = invoke(capsys, "upscale", rgb_map / "four.tif", "-o", tmp_path / "o.tif", "--weights", weights)
    assert_user_error(four, "it has 4 bands", "kornia-srgan[geo]")


def test_bands_of_no_colour_are_not_guessed(tmp_path: Path, capsys: Any) -> None:
    pytest.importorskip("rasterio")
    source = write_scene(
        tmp_path / "in.tif", scene_values(12, 10).astype(np.uint16), photometric="MINISBLACK"
    )
    line = ("upscale", source, "-o", tmp_path / "out.tif", "--weights", save_tiny_weights(tmp_path))
    told = ("does not say which are red, green and blue", "take weights trained with channels 4")
    assert_user_error(invoke(capsys, *line), *told)
    assert not (tmp_path / "out.tif").exists()
