"""Weights of every architecture of spandrel: they load, tile, convert and equal its own output."""

import importlib

import numpy as np
import pytest
import torch
from PIL import Image

from kornia_srgan.assembly import load_generator
from kornia_srgan.errors import ArgumentError, UserError
from kornia_srgan.geometry import geometry_of
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.foreign import import_weights
from tests.helpers.community_models import SMALL, spandrels_own, thin_gfpgan
from tests.helpers.runner import invoke
from tests.helpers.tolerances import assert_near

spandrel = pytest.importorskip("spandrel", reason="spandrel (extra: community) is not installed")
BUILT = {key: arguments for key, arguments in SMALL.items() if arguments is not None}
pytestmark = pytest.mark.filterwarnings("ignore")


def network_of(architecture, model):
    module = importlib.import_module(type(spandrel.MAIN_REGISTRY[architecture].architecture).__module__)
    torch.manual_seed(0)
    return getattr(module, model)(**BUILT[architecture, model]).eval()


@pytest.fixture
def file(request, tmp_path, monkeypatch):
    """A file as the community shares them."""
    if request.param[0] == "GFPGAN":
        thin_gfpgan(monkeypatch)
    path = tmp_path / "model.pth"
    torch.save({"params": network_of(*request.param).state_dict()}, path)
    return path


every = pytest.mark.parametrize("file", BUILT, indirect=True, ids="-".join)


def test_every_architecture_is_in_the_table():
    assert {a for a, _ in SMALL} == {s.architecture.id for s in spandrel.MAIN_REGISTRY}


@every
def test_loads_tiles_converts_and_equals_spandrel(file, tmp_path, capsys):
    own = spandrel.ModelLoader().load_from_file(file).eval()
    channels = own.input_channels
    lr = torch.rand(1, 3, 28, 41, generator=torch.Generator().manual_seed(1))
    if channels == 1:  # grey: one value for all three
        lr = lr[:, :1].expand(-1, 3, -1, -1).contiguous()
    expected = spandrels_own(own, lr[:, :channels]).expand(-1, 3, -1, -1)

    loaded = load_generator(file)
    module = loaded.module
    assert loaded.spec.scale == own.scale
    with torch.no_grad():
        got = module(lr)
    assert got.shape == (1, 3, 28 * own.scale, 41 * own.scale)
    assert_near(got.clamp(0, 1), expected, "another library's")

    target = tmp_path / "converted.safetensors"
    assert invoke(capsys, "convert", file, "-o", target).code == 0
    again = load_generator(target)
    assert (again.spec.name, again.spec.scale) == (loaded.spec.name, loaded.spec.scale)
    with torch.no_grad():
        assert_near(again.module(lr), got, "layer")

    upscaler = Upscaler(again.module, tile=20, device="cpu")
    geometry = geometry_of(again.module)
    tiled = upscaler(lr)
    assert tiled.shape == got.shape
    if geometry.halo is None:
        assert upscaler.note.startswith("this model takes pictures whole")
    else:
        assert upscaler.note.startswith("this model sees further" if geometry.blend else "")
    if not geometry.blend:
        assert_near(tiled, got.clamp(0, 1), "tiled transformer")


def saved(tmp_path, key, **wrap):
    path = tmp_path / "model.pth"
    torch.save(network_of(*key).state_dict(), path)
    return path


def test_the_header_says_what_it_is_and_is_not_measured_again(tmp_path, capsys):
    path, target = saved(tmp_path, ("OmniSR", "OmniSR")), tmp_path / "o.safetensors"
    result = invoke(capsys, "convert", path, "-o", target, "--license", "MIT")
    assert "layout:    OmniSR (spandrel)" in result.out
    assert "generator: spandrel x2 (architecture=OmniSR" in result.out
    spec = load_generator(target).spec
    assert (spec.name, spec.scale, spec.license) == ("spandrel", 2, "MIT")
    assert spec.args["arguments"] == {"num_feat": 16, "up_scale": 2}
    assert (spec.args["overlap"], spec.args["blend"]) == (32, 16)


def test_our_own_layouts_come_first(tmp_path):
    net = network_of("SwiftSRGAN", "SwiftSRGAN")
    torch.save(net.state_dict(), tmp_path / "a.pth")
    assert import_weights(tmp_path / "a.pth").spec.name == "spandrel"
    own = GENERATORS.create("compact", scale=2, channels=8, num_convs=2)
    torch.save(own.state_dict(), tmp_path / "b.pth")
    assert import_weights(tmp_path / "b.pth").spec.name == "compact"


def test_grey_networks_enlarge_each_channel(tmp_path):
    module = load_generator(saved(tmp_path, ("ESRGAN", "ESRGAN"))).module
    lr = torch.rand(2, 3, 9, 7)
    with torch.no_grad():
        out = module(lr)
        alone = module(lr[:, 1:2].expand(-1, 3, -1, -1))
    assert out.shape == (2, 3, 18, 14)
    assert_near(out[:, 1], alone[:, 0], "layer")
    grey = np.random.default_rng(0).integers(0, 255, (12, 10), dtype=np.uint8)
    assert Upscaler(module, device="cpu")(grey).shape == (24, 20)


def test_half_precision_as_the_network_allows(tmp_path):
    module = load_generator(saved(tmp_path, ("HAT", "HAT"))).module
    with pytest.raises(UserError, match="cannot compute in float16; use float32 or bfloat16, or auto"):
        Upscaler(module, device="cpu", dtype="float16")
    assert Upscaler(module, device="cpu", dtype="bfloat16", tile=16).dtype == torch.bfloat16


def test_it_trains(tmp_path):
    """Gradients reach every weight of a network that a recipe names."""
    net = GENERATORS.create(
        "spandrel", scale=2, architecture="realplksr".replace("realplksr", "plksr"), model="RealPLKSR",
        arguments={"dim": 16, "n_blocks": 1},
    )  # fmt: skip
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    lr, losses = torch.rand(2, 3, 16, 16), []
    hr = torch.nn.functional.interpolate(lr, scale_factor=2.0, mode="bilinear")
    for _ in range(30):
        loss = (net(lr) - hr).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert all(p.grad is not None for p in net.parameters())
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"architecture": "HATT"}, "unknown architecture 'HATT'; did you mean 'HAT'"),
        ({"architecture": "PLKSR"}, "PLKSR has the models PLKSR, RealPLKSR; got ''"),
        ({"architecture": "SPAN", "arguments": {"colour": 1}}, "SPAN cannot be built of .*colour"),
        ({"architecture": "NAFNet"}, "give x1, not x2"),
    ],
)
def test_what_cannot_be_built_is_explained(arguments, said):
    with pytest.raises(ArgumentError, match=said):
        GENERATORS.create("spandrel", scale=2, **arguments)


def test_networks_that_need_a_mask_are_refused(tmp_path, capsys):
    with torch.device("meta"):
        lama = spandrel.architectures.LaMa.LaMa(in_nc=4)
    state = {key: torch.zeros(()).expand(value.shape) for key, value in lama.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "lama.pth")
    result = invoke(capsys, "describe", tmp_path / "lama.pth")
    assert result.code == 2
    assert "it is LaMa, which fills in masked parts of pictures; that is not offered here" in result.err


def test_a_network_for_one_face_refuses_larger_pictures_in_one_line(tmp_path, capsys, monkeypatch):
    thin_gfpgan(monkeypatch)
    weights = saved(tmp_path, ("GFPGAN", "GFPGAN"))
    Image.new("RGB", (600, 40)).save(tmp_path / "wide.png")
    asked = ("upscale", tmp_path / "wide.png", "-o", tmp_path / "out", "--weights", weights, "--tile", 64)
    result = invoke(capsys, *asked)
    assert result.code == 2
    assert "this model takes pictures whole: tiles are not used" in result.err
    assert "one face in a picture of 512 x 512 pixels; this one is 600 x 40: cut the face out" in result.err
    assert "Traceback" not in result.err
    assert "tiles:     none, it takes pictures whole: one face in 512 x 512 pixels" in (
        invoke(capsys, "describe", weights).out
    )


@pytest.mark.parametrize("key", [("AuraSR", "AuraSR"), ("GFPGAN", "GFPGAN")], ids="-".join)
def test_networks_that_draw_random_numbers_answer_the_same_twice(key, tmp_path, monkeypatch):
    thin_gfpgan(monkeypatch)
    module = load_generator(saved(tmp_path, key)).module
    with torch.no_grad():
        for weight in module.parameters():
            if weight.shape == (1,):  # how much noise is added: none, before training
                weight.fill_(1.0)
    lr = torch.rand(1, 3, 16, 24)
    before = torch.get_rng_state()
    with torch.no_grad():
        assert torch.equal(module(lr), module(lr))
    assert torch.equal(torch.get_rng_state(), before)
    with torch.no_grad():
        module.train()
        assert not torch.equal(module(lr), module(lr))
