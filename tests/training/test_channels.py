"""Training on images of other channels and depths: read as they are, through every part, into the header."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.assembly import assemble, load_generator
from kornia_srgan.data.pixels import PixelFormat, unit_values
from kornia_srgan.data.source import open_crops
from kornia_srgan.errors import ArgumentError, ConfigError, DataError, WeightsError
from kornia_srgan.geometry import bands_of
from kornia_srgan.training.run import train
from kornia_srgan.weights.files import read_spec
from tests.helpers.scenes import scene_values, write_scene
from tests.helpers.tolerances import assert_near
from tests.helpers.training import cpu_accelerator, make_photos, small_config

MODES = [("none", 0), ("ram", 0), ("device", 0)]
FOUR: dict[str, Any] = {"channels": 4, "data__range": [0, 10000]}


@pytest.fixture
def arrays(tmp_path: Path) -> Path:
    """Three scenes of four bands as `.npy`, of both orders of axes."""
    folder = tmp_path / "arrays"
    folder.mkdir()
    for number in range(3):
        values = scene_values(40, 44, seed=number)
        np.save(folder / f"{number}.npy", values if number else values.transpose(1, 2, 0))
    return folder


@pytest.mark.parametrize(("cache", "workers"), MODES)
def test_crops_hold_the_stored_values(arrays: Path, cache: Any, workers: int) -> None:
    source = open_crops(
        arrays, crop=16, cache=cache, workers=workers, channels=4, value_range=(0, 10000), seed=2
    )
    crops = torch.cat([batch.images for batch in source.batches(0, 3, batch_size=4)])
    assert crops.shape == (12, 4, 16, 16)
    found = (unit_values(crops) * 10000).round().to(torch.int64).numpy()
    windows = set()
    for number in range(3):
        values = scene_values(40, 44, seed=number).astype(np.int64)
        view = np.lib.stride_tricks.sliding_window_view(values, (4, 16, 16))[0]
        windows |= {w.tobytes() for w in view.reshape(-1, 4, 16, 16)}
    assert all(np.ascontiguousarray(crop).tobytes() in windows for crop in found)


def test_what_is_out_of_range_is_clipped_and_gaps_are_the_lowest(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([[[-5.0, 0.0, np.nan], [0.5, 2.0, np.inf]]], np.float32))
    read = PixelFormat(1, (0.0, 1.0)).read(tmp_path / "x.npy")
    values = unit_values(torch.from_numpy(read))[..., 0]
    assert_near(values, torch.tensor([[0, 0, 0], [0.5, 1, 1]]), "layer")


def test_photographs_give_grey_crops(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20), (255, 0, 0)).save(tmp_path / "red.png")
    source = open_crops(tmp_path, crop=16, cache="ram", channels=1)
    crops = next(source.batches(0, 1, batch_size=2)).images
    assert crops.shape == (2, 1, 16, 16)
    assert crops.unique().tolist() == [76]


def test_other_numbers_of_bands_are_named(arrays: Path, caplog: pytest.LogCaptureFixture) -> None:
    np.save(arrays / "three.npy", scene_values(40, 40, bands=3))
    source = open_crops(arrays, crop=16, cache="ram", channels=4, value_range=(0, 10000))
    assert source.num_images == 3
    assert "three.npy': it has 3 bands, the run has channels 4" in caplog.text
    with pytest.raises(DataError, match="it has 4 bands, the run has channels 2"):
        open_crops(arrays / "1.npy", crop=16, channels=2, value_range=(0, 10000))


def test_a_gan_of_four_bands_trains_and_its_header_says_so(arrays: Path, tmp_path: Path) -> None:
    perceptual = {
        "name": "perceptual",
        "args": {
            "bands": [2, 1, 0],
            "extractor": {"name": "timm", "args": {"model": "resnet18", "layers": [0], "weights": "random"}},
        },
    }
    config = small_config(
        **FOUR, data__folders=[str(arrays)], stages__1__losses=["l1", "sam", perceptual], stages__1__steps=2
    )
    assert train(config, tmp_path / "run", accelerator=cpu_accelerator())
    weights = tmp_path / "run" / "generator.safetensors"
    spec = read_spec(weights)
    assert (spec.channels, spec.data_range, spec.args["bands"]) == (4, (0.0, 10000.0), 4)
    loaded = load_generator(weights)
    assert bands_of(loaded.module) == 4
    assert loaded.module(torch.rand(1, 4, 5, 6)).shape == (1, 4, 20, 24)
    with pytest.raises(WeightsError, match="for images of 4 channels, the run has 3"):
        assemble(small_config(init=str(weights)))


def test_three_channels_leave_headers_as_they_were(tmp_path: Path) -> None:
    assert "bands" not in assemble(small_config()).spec.args


@pytest.mark.parametrize(
    ("sections", "told"),
    [
        ({"generator": {"name": "span"}}, r"generator: 'span' takes images of 3 channels, .*edsr.*srresnet"),
        (
            {"generator": {"name": "edsr", "args": {"bands": 5}}},
            r"generator.args.bands: 5 contradicts channels 4",
        ),
        (
            {"data__augmentations": ["dihedral", "color_jiggle"]},
            r"data.augmentations.1: 'color_jiggle' does not",
        ),
        ({"data__degradation": "photo"}, r"data.degradation: 'photo' does not take images of 4 channels"),
        (
            {"stages__1__losses": [{"name": "perceptual", "args": {"extractor": "TIMM"}}]},
            r"stages.1.losses.0: .*say which: bands",
        ),
    ],
)
def test_parts_that_only_know_rgb_are_named(sections: dict[str, Any], told: str) -> None:
    extractor = {"name": "timm", "args": {"model": "resnet18", "layers": [0], "weights": "random"}}
    for loss in sections.get("stages__1__losses", []):
        loss["args"]["extractor"] = extractor
    with pytest.raises(ArgumentError, match=told):
        assemble(small_config(**FOUR, **sections))


def test_a_range_must_be_stated_and_rise() -> None:
    with pytest.raises(ConfigError, match=r"channels 4 needs data.range"):
        small_config(channels=4)
    with pytest.raises(ConfigError, match=r"data.range must be two rising numbers"):
        small_config(data__range=[5, 5])


def test_a_grey_model_trains_on_photographs(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "photos")
    config = small_config(channels=1, data__folders=[str(photos)], stages__0__steps=2, stages__1__steps=2)
    assert train(config, tmp_path / "run", accelerator=cpu_accelerator())
    spec = read_spec(tmp_path / "run/generator.safetensors")
    assert (spec.channels, spec.data_range) == (1, ())


def test_a_geotiff_is_read_with_its_gaps(tmp_path: Path) -> None:
    pytest.importorskip("rasterio")
    values = scene_values(20, 24)
    values[:, :2] = 65535  # no data
    path = write_scene(tmp_path / "scene.tif", values)
    form = PixelFormat(4, (0, 10000))
    assert form.size(path) == (20, 24)
    read = unit_values(torch.from_numpy(form.read(path)))
    assert (read[:2] == 0).all()
    expected = torch.from_numpy(values[:, 2:].astype(np.float32)).movedim(0, -1) / 10000
    assert_near(read[2:], expected, "layer")
