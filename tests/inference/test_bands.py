"""`Upscaler` with weights for other channels than RGB: arrays, tensors and files in their own depth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F

from kornia_srgan import Upscaler, load_generator, upscale_file
from kornia_srgan.errors import ImageError, WeightsError
from kornia_srgan.inference.recipe import load_network
from kornia_srgan.weights.files import read_spec
from kornia_srgan.weights.safetensors_header import METADATA_KEY
from tests.helpers.scenes import scene_values
from tests.helpers.tiny_weights import save_band_weights, save_tiny_weights

LOW, HIGH = 100.0, 9000.0


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    return save_band_weights(tmp_path / "four.safetensors", data_range=(LOW, HIGH))


def expected(weights: Path, values: np.ndarray) -> np.ndarray:
    """By the generator alone, `(C, H, W)` in stored values, float64."""
    unit = (torch.from_numpy(values.astype(np.float64)) - LOW) / (HIGH - LOW)
    with torch.inference_mode():
        sr = load_generator(weights).module.double()(unit[None])[0]
    return sr.numpy() * (HIGH - LOW) + LOW


@pytest.mark.parametrize("tile", ["auto", 16])
@pytest.mark.parametrize("dtype", ["uint16", "int16", "int32", "uint32", "float32", "float64"])
def test_values_are_those_of_the_data_in_every_depth(weights: Path, dtype: str, tile: Any) -> None:
    values = (scene_values(21, 18) + 200).astype(dtype)
    result = Upscaler.from_pretrained(weights, tile=tile)(values.transpose(1, 2, 0))
    assert (result.shape, result.dtype) == ((84, 72, 4), np.dtype(dtype))
    true = expected(weights, values)
    if np.dtype(dtype).kind != "f":
        info = np.iinfo(dtype)
        true = np.rint(true).clip(info.min, info.max)
    np.testing.assert_allclose(
        result.transpose(2, 0, 1), true, atol=1.01 if result.dtype.kind != "f" else 0.05
    )


def test_eight_bits_are_eight_bits(tmp_path: Path) -> None:
    path = save_band_weights(tmp_path / "w.safetensors", channels=2, data_range=(0.0, 255.0))
    values = (scene_values(9, 8, bands=2) // 40).astype(np.uint8)
    result = Upscaler.from_pretrained(path)(values.transpose(1, 2, 0))
    assert (result.shape, result.dtype) == ((36, 32, 2), np.uint8)
    assert abs(float(result.mean()) - float(values.mean())) < 20


def test_tensors_with_and_without_batch(weights: Path) -> None:
    upscaler = Upscaler.from_pretrained(weights)
    image = torch.from_numpy(scene_values(12, 10).astype(np.float32))
    one, batch = upscaler(image), upscaler(torch.stack([image, image.flip(-1)]))
    assert one.shape == (4, 48, 40)
    assert torch.equal(batch[0], one)
    np.testing.assert_allclose(one.numpy(), expected(weights, image.numpy()), atol=0.05)
    leaf = image[None].clone().requires_grad_()
    upscaler(leaf, differentiable=True).sum().backward()
    assert leaf.grad is not None
    assert bool(leaf.grad.abs().sum() > 0)
    assert upscaler(torch.rand(0, 4, 3, 3)).shape == (0, 4, 12, 12)


@pytest.mark.parametrize("kind", ["array", "tensor"])
def test_pixels_without_data_stay_without(weights: Path, kind: str) -> None:
    values = scene_values(14, 12).astype(np.float32)
    values[2, 3:6, 4:5] = np.nan
    upscaler = Upscaler.from_pretrained(weights)
    if kind == "array":
        result = upscaler(values.transpose(1, 2, 0)).transpose(2, 0, 1)
    else:
        result = upscaler(torch.from_numpy(values)).numpy()
    hidden = F.interpolate(torch.from_numpy(np.isnan(values))[None].float(), scale_factor=4)[0].bool().numpy()
    assert (np.isnan(result) == hidden).all()


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((5, 6, 3), np.uint16),
        np.zeros((5, 6), np.uint16),
        torch.zeros(1, 5, 5, 6),
        torch.zeros(3, 5, 6),
        Image.new("RGB", (6, 5)),
    ],
)
def test_other_channels_are_refused(weights: Path, image: Any) -> None:
    with pytest.raises(ImageError, match=r"the weights are for 4 channels of 100 to 9000; none is left out"):
        Upscaler.from_pretrained(weights)(image)


def test_rgb_weights_refuse_four_bands(tmp_path: Path) -> None:
    upscaler = Upscaler.from_pretrained(save_tiny_weights(tmp_path))
    with pytest.raises(ImageError, match=r"has 4 channels, the weights are for 3 channels \(RGB\)"):
        upscaler(np.zeros((5, 6, 4), np.uint8))


def test_infinity_and_truth_values_are_refused(weights: Path) -> None:
    upscaler = Upscaler.from_pretrained(weights)
    with pytest.raises(ImageError, match="holds infinity; write NaN where there is no data"):
        upscaler(np.full((4, 4, 4), np.inf, np.float32))
    with pytest.raises(ImageError, match="of bool"):
        upscaler(torch.zeros(1, 4, 4, 4, dtype=torch.bool))


def test_a_grey_model_takes_grey_pictures_whole(tmp_path: Path) -> None:
    path = save_band_weights(tmp_path / "grey.safetensors", channels=1, data_range=())
    upscaler = Upscaler.from_pretrained(path)
    grey = Image.fromarray((scene_values(12, 10, bands=1)[0] // 40).astype(np.uint8))
    large = upscaler(grey)
    assert (large.mode, large.size) == ("L", (40, 48))
    module = load_generator(path).module
    with torch.inference_mode():
        sr = module(torch.from_numpy(np.array(grey))[None, None] / 255)[0, 0]
    assert np.abs(np.asarray(large) - (sr.clamp(0, 1) * 255).round().numpy()).max() <= 1
    assert upscaler(np.zeros((5, 6), np.uint16)).shape == (20, 24)
    with pytest.raises(ImageError, match=r"the weights are for 1 channel \(grey\)"):
        upscaler(Image.new("RGB", (6, 5)))


def test_wrapped_and_chained_weights_must_be_alike(weights: Path, tmp_path: Path) -> None:
    other = save_band_weights(tmp_path / "other.safetensors", data_range=(0.0, 1.0))
    chained = Upscaler.from_pretrained(weights, then=[weights], ensemble=True, color_fix=True)
    assert chained(np.zeros((5, 6, 4), np.uint16)).shape == (80, 96, 4)
    mixed = Upscaler.from_pretrained(interpolate=(weights, weights, 0.5))
    assert mixed.data_range == (LOW, HIGH)
    for arguments in ({"source": weights, "then": [other]}, {"interpolate": (weights, other, 0.5)}):
        with pytest.raises(
            WeightsError, match="4 channels of 0 to 1, the other weights for 4 channels of 100"
        ):
            Upscaler.from_pretrained(**arguments)  # type: ignore[arg-type]
    with pytest.raises(WeightsError, match="not for RGB photographs"):
        load_network(weights)


def test_an_exported_generator_knows_its_channels_and_range(weights: Path, tmp_path: Path) -> None:
    """The file is made by hand, with the header that `export_generator` writes: it gives back its input."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    size = ["batch", 4, "height", "width"]
    lr, sr = (onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, size) for n in ("lr", "sr"))
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["lr"], ["sr"])], "same", [lr], [sr])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    told = {METADATA_KEY: read_spec(weights).to_json(), "scale": "1", "halo": "0", "align": "1"}
    onnx.helper.set_model_props(model, told)
    onnx.save(model, tmp_path / "four.onnx")
    values = scene_values(20, 18).transpose(1, 2, 0)
    made = Upscaler.from_pretrained(tmp_path / "four.onnx")
    assert (made.channels, made.data_range) == (4, (LOW, HIGH))
    assert np.array_equal(made(values), values)


def test_files_as_the_command_enlarges_them(weights: Path, tmp_path: Path) -> None:
    values = scene_values(12, 10).transpose(1, 2, 0)
    np.save(tmp_path / "in.npy", values)
    upscaler = Upscaler.from_pretrained(weights)
    (note,) = upscale_file(upscaler, tmp_path / "in.npy", tmp_path / "out.npy")
    assert "lie outside 100 to 9000" in note
    assert np.array_equal(np.load(tmp_path / "out.npy"), upscaler(values))
    Image.new("RGB", (6, 5), "red").save(tmp_path / "red.png")
    upscale_file(
        Upscaler.from_pretrained(save_tiny_weights(tmp_path)), tmp_path / "red.png", tmp_path / "l.png"
    )
    assert Image.open(tmp_path / "l.png").size == (24, 20)
