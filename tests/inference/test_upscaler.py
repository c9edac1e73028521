import inspect
import pickle
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.errors import ImageError, NotFiniteError, UserError
from kornia_srgan.inference import tile_size
from kornia_srgan.inference.recipe import Recipe
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.inference.wrappers import ColorFix, SelfEnsemble
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.generators import Chain, Nearest
from tests.helpers.tolerances import assert_near


@pytest.fixture(scope="module")
def nearest():
    return Upscaler(Nearest(2), device="cpu", tile=5)


def random(shape, dtype):
    rng = np.random.default_rng(0)
    if np.dtype(dtype).kind == "f":
        return rng.random(shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def repeated(pixels):
    return pixels.repeat(2, axis=0).repeat(2, axis=1)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", ">u2", "float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(7, 9), (7, 9, 1), (7, 9, 3), (1, 1, 3)])
def test_arrays_keep_their_dtype_and_values(nearest, shape, dtype):
    pixels = random(shape, "uint16").astype(">u2") if dtype == ">u2" else random(shape, dtype)
    result = nearest(pixels)
    assert result.dtype == pixels.dtype.newbyteorder("=")
    if np.dtype(dtype).kind == "f":
        assert_near(result, repeated(pixels), "rounding")  # computed in float32
    else:
        np.testing.assert_array_equal(result, repeated(pixels))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_keep_dtype_and_batch(nearest, channels, dtype):
    images = torch.from_numpy(random((2, channels, 6, 4), "uint8"))
    images = images if dtype == torch.uint8 else (images / 255).to(dtype)
    result = nearest(images)
    assert result.dtype == dtype
    expected = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert_near(result, expected, "rounding")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA", "CMYK", "I;16"])
def test_pil_images_keep_their_mode(nearest, mode):
    channels = {"L": 1, "I;16": 1, "LA": 2, "RGB": 3}.get(mode, 4)
    pixels = random((5, 6, channels), "uint16" if mode == "I;16" else "uint8")
    if mode in ("LA", "RGBA"):
        pixels[..., -1] = pixels[..., -1].clip(1)  # colour under full transparency is not kept
    image = Image.fromarray(pixels[..., 0]) if channels == 1 else Image.fromarray(pixels, mode)
    result = nearest(image)
    assert result.mode == mode
    np.testing.assert_array_equal(np.asarray(result), repeated(np.asarray(image)))


@pytest.mark.filterwarnings("error")
def test_arrays_may_be_read_only(nearest):
    pixels = np.asarray(Image.new("RGB", (4, 3), "red"))
    assert nearest(pixels).shape == (6, 8, 3)


def test_pil_info_is_kept(nearest):
    image = Image.new("RGB", (2, 2))
    image.info.update(icc_profile=b"profile", dpi=(300, 300))
    assert nearest(image).info == {"icc_profile": b"profile", "dpi": (300, 300)}


def test_results_are_clamped():
    class Loud(Nearest):
        def forward(self, lr):
            return super().forward(lr) * 3 - 1

    upscaler = Upscaler(Loud(2), device="cpu")
    result = upscaler(np.array([[0.0, 0.5, 1.0]], np.float32))
    np.testing.assert_allclose(result[0, ::2], [0, 0.5, 1])
    assert upscaler(np.array([[0, 255]], np.uint8))[0, ::2].tolist() == [0, 255]


def test_gradients_flow_when_asked():
    upscaler = Upscaler(Chain(2), device="cpu", tile=2)
    images = torch.rand(2, 3, 5, 5, requires_grad=True)
    assert not upscaler(images).requires_grad
    upscaler(images, differentiable=True).sum().backward()
    assert images.grad is not None
    assert images.grad.abs().min() > 0
    assert all(p.grad is None for p in upscaler.generator.parameters())


def test_the_optimised_generator_gives_the_gradients_of_the_plain_one():
    generator = SRResNet(scale=2, channels=4, num_blocks=1)
    upscaler = Upscaler(generator, device="cpu", tile=0)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in upscaler.generator.modules())
    images = torch.rand(1, 3, 6, 5, requires_grad=True)
    expected = generator.eval()(images)
    assert_near(upscaler(images), expected.clamp(0, 1), "network")
    found = upscaler(images, differentiable=True)
    gradients = [torch.autograd.grad(result.square().sum(), images)[0] for result in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_the_generator_given_stays_as_it_is():
    generator = Chain(2).train()
    upscaler = Upscaler(generator, device="cpu", dtype="bfloat16")
    assert generator.training
    assert all(p.dtype == torch.float32 and p.requires_grad for p in generator.parameters())
    assert all(p.dtype == torch.bfloat16 for p in upscaler.generator.parameters())


def test_many_threads_may_call_it():
    upscaler = Upscaler(Chain(3), device="cpu", tile=8)
    images = [random((20, 20, 3), "uint8") ^ i for i in range(16)]
    alone = [upscaler(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(upscaler, images))
    for one, other in zip(alone, together, strict=True):
        np.testing.assert_array_equal(one, other)


def test_auto_tile_is_bounded():
    upscaler = Upscaler(Chain(3), device="cpu")
    assert 32 <= upscaler.tile <= 1024


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((2, 2, 4), np.uint8), r"has 4 channels, the weights are for 3 channels \(RGB\)"),
        (np.zeros((0, 2, 3), np.uint8), "not empty"),
        (np.zeros((2, 2, 3), np.int32), "int32"),
        (np.zeros((2, 2), bool), "bool"),
        (torch.zeros(4, 4), "tensor must be"),
        (torch.zeros(1, 3, 4, 4, dtype=torch.int64), "int64"),
        (Image.new("I", (2, 2)), "32-bit"),
        ("path.png", "str"),
    ],
)
def test_what_is_no_image_is_refused(nearest, image, words):
    with pytest.raises(ImageError, match=words):
        nearest(image)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"device": "cuda:99"}, "cuda:99"),
        ({"device": "gpu"}, "gpu"),
        ({"dtype": "int8"}, "int8"),
        ({"tile": -1}, "tile"),
    ],
)
def test_wrong_options_are_refused(options, words):
    with pytest.raises(UserError, match=words):
        Upscaler(Nearest(2), **{"device": "cpu", **options})


def test_one_form_is_all_that_the_cpu_needs():
    networks = Upscaler(Chain(3), device="cpu")._networks
    assert networks.fast is networks.exact is networks.spare
    assert networks._source is None


def test_each_form_is_made_once_by_many_threads(monkeypatch):
    from kornia_srgan.inference import networks as module

    made = []
    optimize = module.optimize_for_inference

    def noted(*args, **options):
        made.append(options["dtype"])
        return optimize(*args, **options)

    monkeypatch.setattr(module, "optimize_for_inference", noted)
    networks = Upscaler(Chain(3), device="cpu", dtype="bfloat16")._networks
    with ThreadPoolExecutor(8) as pool:
        forms = list(pool.map(lambda _: networks.exact, range(32)))
    assert all(form is forms[0] for form in forms)
    assert forms[0] is not networks.fast
    assert made == [torch.bfloat16, torch.float32]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_becomes_of_the_generator_given_does_not_matter(dtype):
    generator, pixels = Chain(3), random((9, 7, 3), "uint8")
    upscaler = Upscaler(generator, device="cpu", dtype=dtype)
    before, exact = upscaler(pixels), Upscaler(upscaler._networks.exact, device="cpu")(pixels)
    with torch.no_grad():
        for parameter in generator.parameters():
            parameter.fill_(torch.nan)
    np.testing.assert_array_equal(upscaler(pixels), before)
    np.testing.assert_array_equal(Upscaler(upscaler._networks.exact, device="cpu")(pixels), exact)


def test_auto_multiplies_in_bfloat16_where_that_is_faster(monkeypatch):
    from kornia_srgan.optimize import optimize

    pixels = random((40, 30, 3), "uint8")
    exact = Upscaler.from_pretrained("edsr-x4", device="cpu")(pixels)
    for pays in (False, True):
        monkeypatch.setattr(optimize, "bfloat16_pays", lambda pays=pays: pays)
        upscaler = Upscaler.from_pretrained("edsr-x4", device="cpu", dtype="auto")
        low = [m for m in upscaler.generator.modules() if getattr(m, "compute", None) == torch.bfloat16]
        assert bool(low) == pays
        assert upscaler.dtype == torch.float32
        assert np.abs(upscaler(pixels).astype(int) - exact).max() <= (3 if pays else 0)
        assert (upscaler._networks.exact is upscaler.generator) != pays


@pytest.mark.parametrize(
    ("dtype", "tile"), [("float32", 8), ("bfloat16", 8), ("auto", 8), ("float32", "auto")]
)
def test_it_can_be_pickled(dtype, tile):
    upscaler = Upscaler(SRResNet(scale=2, channels=4, num_blocks=1), device="cpu", dtype=dtype, tile=tile)
    pixels = random((9, 7, 3), "uint8")
    expected = upscaler(pixels)
    again = pickle.loads(pickle.dumps(upscaler))
    assert (again.tile, again.halo, again.dtype) == (upscaler.tile, upscaler.halo, upscaler.dtype)
    np.testing.assert_array_equal(again(pixels), expected)


def test_packaged_weights_are_pickled_by_name_and_loaded_once():
    upscaler = Upscaler.from_pretrained("edsr-x4", ensemble=True, device="cpu", tile=32)
    data = pickle.dumps(upscaler)
    assert len(data) < 1000
    again = pickle.loads(data)
    assert again is pickle.loads(data)
    assert isinstance(again.generator, SelfEnsemble)
    assert again.tile == 32


def test_from_pretrained_takes_what_the_command_takes(tmp_path):
    path = tmp_path / "edsr.safetensors"
    args = {"channels": 4, "num_blocks": 1}
    network = EDSR(scale=2, **args).eval()
    save_weights(path, network.state_dict(), WeightSpec(name="edsr", args=args, scale=2))
    image = torch.rand(1, 3, 6, 5)
    for options, expected in (
        ({}, network),
        ({"color_fix": True}, ColorFix(network)),
        ({"ensemble": True, "color_fix": True}, ColorFix(SelfEnsemble(network))),
    ):
        for source in ({"source": path}, {"interpolate": (path, path, 0.5)}):
            upscaler = Upscaler.from_pretrained(**source, **options, device="cpu")
            with torch.no_grad():
                assert_near(upscaler(image), expected(image).clamp(0, 1), "layer")
    with pytest.raises(ValueError, match="not both"):
        Upscaler.from_pretrained(path, interpolate=(path, path, 0.5))


def test_the_arguments_of_from_pretrained_are_stated_once_and_all_explained():
    signature = inspect.signature(Upscaler.from_pretrained)
    assert signature.parameters == inspect.signature(Recipe).parameters
    assert signature.parameters["source"].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert signature.parameters["ensemble"].kind is inspect.Parameter.KEYWORD_ONLY
    explained = re.findall(r"^ +(\w+): ", inspect.getdoc(Upscaler.from_pretrained), re.MULTILINE)
    assert [name for name in explained if name in signature.parameters] == list(signature.parameters)


class Overflowing(Nearest):
    """Goes through numbers that float16 does not have, where the picture is bright."""

    def __init__(self, factor):
        super().__init__(2)
        self.factor = nn.Parameter(torch.tensor(float(factor)))

    def forward(self, lr):
        return super().forward(lr) * 60000 * self.factor / 60000 / self.factor


@pytest.mark.parametrize("tile", [0, 4])
def test_what_float16_cannot_hold_is_computed_in_float32(tile):
    pixels = random((9, 8, 3), "uint8")
    upscaler = Upscaler(Overflowing(4), device="cpu", dtype="float16", tile=tile)
    assert np.abs(upscaler(pixels).astype(int) - repeated(pixels)).max() <= 1
    assert upscaler.generator.factor.dtype == torch.float16


def test_only_the_tiles_that_overflow_are_computed_again(monkeypatch):
    from kornia_srgan.inference import compute as module

    compute, seen = module.compute_pieces, []
    monkeypatch.setattr(module, "compute_pieces", lambda *a, **k: (seen.append(a[1]), compute(*a, **k))[1])
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[0, 0] = 255
    Upscaler(Overflowing(4), device="cpu", dtype="float16", tile=4)(pixels)
    assert seen == [torch.float16, torch.float32, torch.float16]


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("factor", [torch.nan, torch.inf])
def test_no_picture_is_made_of_what_is_no_number(dtype, factor):
    upscaler = Upscaler(Overflowing(factor), device="cpu", dtype=dtype)
    for image in (random((5, 4, 3), "uint8"), torch.rand(1, 3, 5, 4), Image.new("RGB", (3, 3), "red")):
        with pytest.raises(NotFiniteError, match="NaN"):
            upscaler(image)


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0, 255, "divide it by 255"), (-1, 1, "bring it to"), (0, np.nan, "NaN"), (0, np.inf, "NaN")],
)
def test_floats_of_another_range_are_refused(nearest, low, high, words):
    pixels = np.linspace(0, 1, 12, dtype=np.float32).reshape(2, 2, 3)
    pixels[0, 0, 0], pixels[1, 1, 1] = low, high
    tensor = torch.from_numpy(pixels).movedim(-1, 0)[None]
    for call in (
        lambda: nearest(pixels),
        lambda: nearest(tensor),
        lambda: nearest(tensor.requires_grad_(), differentiable=True),
    ):
        with pytest.raises(ImageError, match=words):
            call()


def test_floats_a_little_outside_are_clamped(nearest):
    pixels = np.array([[-0.1, 0.5, 1.2]], np.float32)
    np.testing.assert_allclose(nearest(pixels)[0, ::2], [0, 0.5, 1])


def test_a_deep_generator_gets_tiles_much_wider_than_its_halo(monkeypatch):
    """At three halos two thirds of the work would be halos; memory bounds it all the same."""
    monkeypatch.setattr(tile_size, "free_memory", lambda device: 2**40)
    cpu = torch.device("cpu")
    for pixel, wanted in ((16384, 272), (4096, 320), (2**20, 112)):
        monkeypatch.setattr(tile_size, "bytes_per_pixel", lambda *_, pixel=pixel: pixel)
        assert tile_size.auto_tile(nn.Identity(), cpu, torch.float32, 40) == wanted
