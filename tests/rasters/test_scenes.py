"""Scenes of several bands through weights: the right place on earth, no seam, nothing lost in silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from kornia_srgan.assembly import LoadedGenerator, assemble
from kornia_srgan.errors import ImageError, WeightsError
from kornia_srgan.inference.recipe import load_network
from kornia_srgan.inference.scenes import fill_gaps, upscale_scene
from kornia_srgan.rasters.read import read_raster
from kornia_srgan.rasters.scene import Window, open_scene, stored
from kornia_srgan.weights.files import save_weights
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.scenes import BANDS, scene_values, write_scene
from tests.helpers.training import small_config


@pytest.fixture
def loaded() -> LoadedGenerator:
    made = assemble(small_config(channels=4, data__range=[0, 10000]))
    torch.manual_seed(0)
    for parameter in made.generator.parameters():
        parameter.data.add_(torch.randn_like(parameter) * 0.02)  # else it is the bilinear skip alone
    return LoadedGenerator(made.generator.eval(), made.spec)


@pytest.fixture
def weights(loaded: LoadedGenerator, tmp_path: Path) -> Path:
    path = tmp_path / "four.safetensors"
    save_weights(path, loaded.module.state_dict(), loaded.spec)
    return path


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
def test_windows_leave_no_seam(loaded: LoadedGenerator, tmp_path: Path, window: int) -> None:
    values = scene_values(40, 37).astype(np.float32)
    values[1, 11:18, 5:9] = np.nan
    np.save(tmp_path / "in.npy", values)
    for name, side in (("whole", 512), ("cut", window)):
        upscale_scene(loaded, tmp_path / "in.npy", tmp_path / f"{name}.npy", window=side)
    whole, cut = np.load(tmp_path / "whole.npy"), np.load(tmp_path / "cut.npy")
    assert whole.shape == (4, 160, 148)
    assert whole.dtype == np.float32
    np.testing.assert_allclose(cut, whole, atol=0.02)  # of 10000
    assert np.isnan(whole[1, 44:72, 20:36]).all()
    assert np.isnan(whole).sum() == 16 * 28


def test_arrays_keep_their_axes_and_what_is_out_of_range_is_told(
    loaded: LoadedGenerator, tmp_path: Path
) -> None:
    np.save(tmp_path / "in.npy", scene_values(12, 10).transpose(1, 2, 0) + 8000)
    report = upscale_scene(loaded, tmp_path / "in.npy", tmp_path / "out.npy")
    result = np.load(tmp_path / "out.npy")
    assert (result.shape, result.dtype) == ((48, 40, 4), np.uint16)
    assert report.size == (48, 40)
    assert "lie outside 0 to 10000" in report.notes[0]


def test_no_band_is_left_out_or_guessed(weights: Path, loaded: LoadedGenerator, tmp_path: Path, capsys: Any):
    np.save(tmp_path / "three.npy", scene_values(12, 10, bands=3))
    with pytest.raises(ImageError, match="has 3 bands, the weights are for 4; none is left out"):
        upscale_scene(loaded, tmp_path / "three.npy", tmp_path / "out.npy")
    assert not (tmp_path / "out.npy").exists()
    with pytest.raises(WeightsError, match="for data of 4 channels, not for photographs"):
        load_network(weights)
    line = ("upscale", tmp_path / "three.npy", "-o", tmp_path / "out", "--weights", weights)
    assert_user_error(invoke(capsys, *line, "--ensemble"), "--ensemble: for photographs only")
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
        np.testing.assert_array_equal(scene.read(Window(0, 0, 24, 20)), values)
        assert scene.notes(tmp_path / "out.tif") == ()
    np.testing.assert_array_equal(read_raster(source), values)


def test_values_that_would_read_as_no_data_move_by_a_step() -> None:
    values = np.array([[[-3.0, 0.4, 7.0, 70000.0]]])
    assert stored(values, np.dtype(np.uint16), None, 0.0).tolist() == [[[1, 1, 7, 65535]]]
    assert stored(values, np.dtype(np.uint16), None, 65535.0).tolist() == [[[0, 0, 7, 65534]]]
    gaps = np.array([[[True, False, False, False]]])
    assert np.isnan(stored(values, np.dtype(np.float32), gaps, None)).tolist() == [
        [[True, False, False, False]]
    ]


def test_gaps_are_filled_from_around() -> None:
    unit = np.full((1, 30, 30), 0.2)
    gaps = np.zeros(unit.shape, bool)
    gaps[:, 5:, :] = True
    filled = fill_gaps(unit, gaps, steps=3)
    np.testing.assert_allclose(filled[0, :8], 0.2)
    assert (filled[0, 8:] == 0.5).all()
