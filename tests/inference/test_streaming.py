"""Pictures in strips of rows: the same as whole ones, nothing computed twice, bounded memory."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import fx, nn
from torch.nn import functional as F

from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.contracts import Geometry
from kornia_srgan.errors import NotFiniteError
from kornia_srgan.geometry import geometry_of
from kornia_srgan.inference import upscaler as upscaler_module
from kornia_srgan.inference.recipe import load_network
from kornia_srgan.inference.streaming import row_stream
from kornia_srgan.inference.streaming.layers import NotByRowsError
from kornia_srgan.inference.streaming.row_graph import trace_rows
from kornia_srgan.inference.streaming.row_ops import Convolution
from kornia_srgan.inference.streaming.streamer import channels_last, streamer_of
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.inference.wrappers import SelfEnsemble
from kornia_srgan.optimize.faithful import made_photograph
from kornia_srgan.optimize.optimize import optimize_for_inference
from kornia_srgan.registry.catalog import GENERATORS
from tests.helpers.generators import Chain, Global, Nearest
from tests.helpers.names import generator_names
from tests.helpers.tolerances import assert_near

VARIANTS = [
    ("srresnet", {"upsampler": "resize", "output": "tanh"}),
    ("srresnet", {"norm": "none", "output": "unit", "body_end": "prelu"}),
    ("edsr", {"upsampler": "pixelshuffle", "residual_scale": 0.1}),
    ("edsr", {"bilinear_skip": False}),
    ("msrresnet", {"upsample_activation": False}),
    ("compact", {"activation": "relu"}),
    ("compact", {"activation": "leakyrelu"}),
]
CASES = [(name, {}) for name in generator_names(wrapped=False)] + [
    (name, args) for name, args in VARIANTS if name in generator_names(wrapped=False)
]


def small(name, scale=2, **args):
    parameters = GENERATORS.get(name).parameters()
    wanted = {"scale": scale, "channels": 8, "num_blocks": 2, "num_convs": 2, "growth_channels": 4, **args}
    torch.manual_seed(0)
    made = GENERATORS.create(name, **{k: v for k, v in wanted.items() if k in parameters}).eval()
    with torch.no_grad():
        for parameter in made.parameters():  # so that every layer shows
            parameter.add_(0.02 * torch.randn_like(parameter))
    return made


def streamer(generator):
    found = streamer_of(generator, geometry_of(generator))
    assert found is not None
    return found


def grey_levels(a, b):
    return int(np.abs(np.asarray(a).astype(int) - np.asarray(b).astype(int)).max())


def pixels(*shape):
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
@pytest.mark.parametrize(("name", "args"), CASES)
def test_every_generator_streams_and_gives_what_it_gives_whole(name, args, scale, monkeypatch):
    if name == "rrdb" and scale == 3:
        pytest.skip("rrdb has no x3")
    generator = small(name, scale, **args)
    by_rows = streamer(optimize_for_inference(generator))
    for height, width in ((1, 1), (1, 9), (2, 3), (17, 5), (33, 21), (64, 8)):
        image = torch.rand(1, 3, height, width)
        with torch.inference_mode():
            whole = generator(image)
        for strip in (4, 12, 1000):
            monkeypatch.setattr("kornia_srgan.inference.streaming.streamer._FEWEST", strip)
            monkeypatch.setattr("kornia_srgan.inference.streaming.streamer._MOST", strip)
            with torch.inference_mode():
                result = torch.cat(list(by_rows.enlarge(image, channels_last)), dim=-2)
            assert_near(result, whole, "streamed")


@pytest.mark.parametrize("name", generator_names(wrapped=False))
def test_steps_of_few_rows_change_nothing(name, monkeypatch):
    """Layers whose rows are large make few at once: here so few that each has many steps."""
    monkeypatch.setattr(row_stream, "_STEP_BYTES", 4096)
    generator, image = small(name, 4), torch.rand(1, 3, 41, 30)
    with torch.inference_mode():
        result = torch.cat(
            list(streamer(optimize_for_inference(generator)).enlarge(image, channels_last)), dim=-2
        )
        assert_near(result, generator(image), "streamed")


def test_wide_convolutions_take_half_the_multiplications_here_too(monkeypatch):
    monkeypatch.setattr("kornia_srgan.ops.winograd._LEAST_WORK", 1)
    monkeypatch.setattr("kornia_srgan.ops.packed.detour_pays", lambda inputs, outputs: True)
    taken = []
    monkeypatch.setattr(
        "kornia_srgan.inference.streaming.row_ops.write_rows",
        lambda *args: (taken.append(args[0].shape[-2]), row_stream_write(*args))[1],
    )
    from kornia_srgan.ops.winograd import write_rows as row_stream_write

    generator = SRResNet(scale=2, channels=48, num_blocks=2).eval()
    ready = optimize_for_inference(generator)
    with torch.inference_mode():
        image = torch.rand(1, 3, 45, 33)
        result = torch.cat(list(streamer(ready).enlarge(image, channels_last)), dim=-2)
        assert_near(result, generator(image), "network")
    assert len(taken) > 10


@pytest.mark.parametrize("strip", [4, 12, 64])
@pytest.mark.parametrize("name", generator_names(wrapped=False))
def test_mixed_precision_streams_as_it_is(name, strip, monkeypatch):
    monkeypatch.setattr("kornia_srgan.inference.streaming.streamer._FEWEST", strip)
    monkeypatch.setattr("kornia_srgan.inference.streaming.streamer._MOST", strip)
    monkeypatch.setattr("kornia_srgan.optimize.optimize.bfloat16_pays", lambda: True)
    monkeypatch.setattr("kornia_srgan.optimize.optimize.is_faithful", lambda low, exact: True)
    ready = optimize_for_inference(small(name, 4, channels=16), dtype="auto")
    assert any(getattr(m, "compute", None) == torch.bfloat16 for m in ready.modules())
    for height in (1, 2, 3, 33):
        image = channels_last(torch.rand(1, 3, height, 21))
        with torch.inference_mode():
            result = torch.cat(list(streamer(ready).enlarge(image, channels_last)), dim=-2)
            assert result.dtype == torch.float32
            assert (result - ready(image)).abs().max() < 2 / 255


def test_packaged_weights_keep_their_strong_channels_in_strips(monkeypatch):
    monkeypatch.setattr("kornia_srgan.optimize.optimize.bfloat16_pays", lambda: True)
    ready = optimize_for_inference(load_network("srresnet-x4"), dtype="auto")
    image = channels_last(made_photograph(40))
    with torch.inference_mode():
        result = torch.cat(list(streamer(ready).enlarge(image, channels_last)), dim=-2)
        assert (result - ready(image)).abs().max() < 1.5 / 255


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16", "auto"])
@pytest.mark.parametrize("shape", [(1, 1, 3), (2, 70, 3), (61, 1, 3), (37, 29, 3), (150, 31, 3), (50, 33, 1)])
def test_pictures_are_those_of_the_whole(shape, dtype):
    generator = SRResNet(scale=2, channels=8, num_blocks=3)
    by_rows = Upscaler(generator, device="cpu", dtype=dtype)
    assert by_rows._streamer is not None
    whole = Upscaler(generator, device="cpu", dtype=dtype, tile=0)
    image = pixels(*shape)
    assert grey_levels(by_rows(image), whole(image)) <= (1 if dtype in ("float32", "auto") else 2)


@pytest.mark.parametrize("args", [("edsr", {}), ("srresnet", {"channels": 16}), ("span", {"channels": 16})])
def test_low_precision_streams_and_is_faithful(args, monkeypatch):
    monkeypatch.setattr("kornia_srgan.optimize.optimize.bfloat16_pays", lambda: True)
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no convolutions in bfloat16")
    torch.manual_seed(0)
    generator = GENERATORS.create(args[0], num_blocks=2, **args[1])
    by_rows = Upscaler(generator, device="cpu", dtype="auto")
    assert by_rows._streamer is not None
    assert any(getattr(m, "compute", None) for m in by_rows.generator.modules())
    image = pixels(61, 37, 3)
    assert grey_levels(by_rows(image), Upscaler(generator, device="cpu", dtype="auto", tile=0)(image)) <= 1
    assert grey_levels(by_rows(image), Upscaler(generator, device="cpu")(image)) <= 2


def test_rows_that_were_handed_out_stay_as_they_are():
    """What is kept of the rows lies in the same memory again and again; what others hold of it must not."""
    rows, taken = row_stream._Rows(40), []
    picture = channels_last(torch.rand(1, 2, 40, 3))
    for top in range(0, 40, 8):
        rows.append(picture[:, :, top : top + 8].clone())
        rows.drop_until(top + 6)
        taken.append((top + 6, rows.between(top + 6, top + 8)))
    for first, found in taken:
        assert torch.equal(found, picture[:, :, first : first + 2])


def test_no_row_is_computed_twice(monkeypatch):
    rows, call = Counter(), Convolution.__call__

    def counted(self, inputs, above, below):
        result = call(self, inputs, above, below)
        rows[id(self)] += result.shape[-2]
        return result

    monkeypatch.setattr(Convolution, "__call__", counted)
    by_rows = streamer(optimize_for_inference(SRResNet(scale=4, channels=8, num_blocks=3)))
    rows.clear()
    with torch.inference_mode():
        list(by_rows.enlarge(torch.rand(1, 3, 101, 7), channels_last))
    assert set(rows.values()) == {101, 202}


def test_memory_is_bounded_by_the_width():
    generator = SRResNet(scale=2, channels=8, num_blocks=3).eval()
    by_rows = streamer(generator)
    peaks = {}
    for height, width in ((200, 8), (800, 8), (200, 16)):
        flow = row_stream.RowStream(by_rows.graph, height)
        with torch.inference_mode():
            for _ in range(0, height, 8):
                flow.feed(torch.rand(1, 3, 8, width))
        peaks[height, width] = flow.peak
    assert peaks[800, 8] <= 1.02 * peaks[200, 8]
    assert peaks[200, 16] <= 2.02 * peaks[200, 8]
    assert peaks[200, 8] <= 1.2 * by_rows.memory(8)


def test_what_is_too_wide_goes_in_tiles(monkeypatch):
    upscaler, image = Upscaler(Chain(3), device="cpu"), pixels(20, 30, 3)
    expected = upscaler(image)
    monkeypatch.setattr(upscaler_module, "stream_budget", lambda: upscaler._streamer.memory(30) - 1)
    monkeypatch.setattr(upscaler_module, "compute_strips", None)
    assert grey_levels(upscaler(image), expected) <= 1


def test_tiles_that_were_asked_for_are_taken():
    for options in ({"tile": 16}, {"tile": 0}, {"compile": True}):
        assert Upscaler(Chain(3), device="cpu", **options)._streamer is None


class Strided(Nearest):
    def __init__(self):
        super().__init__(2)
        self.conv = nn.Conv2d(3, 12, 3, stride=2, padding=1)

    def forward(self, lr):
        return F.pixel_shuffle(self.conv(super().forward(lr)), 2)


class Repeated(Chain):
    """Pads by repeating the border, not by zeros."""

    def __init__(self):
        super().__init__(3)
        for layer in self.body:
            layer.padding_mode = "replicate"


class Moved(Nearest):
    def forward(self, lr):
        return super().forward(lr.roll(1, 2))


class Sized(Nearest):
    def forward(self, lr):
        return F.interpolate(lr, size=(2 * lr.shape[-2], 2 * lr.shape[-1]))


class Aliased(Chain):
    """Adds what an activation has overwritten since: another sum than the graph says."""

    def forward(self, lr):
        x = self.body[0](lr)
        return F.pixel_shuffle(self.tail(x + F.relu(x, inplace=True)), 2)


class TwoFaced(Chain):
    """Does something else while it is traced."""

    def forward(self, lr):
        return super().forward(lr) * (1.0 if isinstance(lr, fx.Proxy) else 1.1)


@pytest.mark.parametrize(
    "generator", [Global(), Strided(), Repeated(), Moved(2), Sized(2), SelfEnsemble(Chain(2))], ids=repr
)
def test_what_is_not_by_rows_is_seen(generator):
    with pytest.raises(NotByRowsError):
        trace_rows(generator.eval())


@pytest.mark.parametrize("generator", [Aliased(), TwoFaced(), Repeated(), SelfEnsemble(Chain(2)), Global()])
def test_what_would_come_out_otherwise_goes_in_tiles(generator):
    generator = generator.eval()
    assert streamer_of(generator, Geometry(2, 4, 1)) is None
    upscaler, image = Upscaler(generator, device="cpu"), pixels(45, 40, 3)
    assert upscaler._streamer is None
    assert grey_levels(upscaler(image), Upscaler(generator, device="cpu", tile=0)(image)) <= 1


def test_a_wrong_radius_shows(monkeypatch):
    """The comparisons above can fail."""
    init = Convolution.__init__

    def narrow(self, conv):
        init(self, conv)
        self.zeros = False

    monkeypatch.setattr(Convolution, "__init__", narrow)
    assert streamer_of(Chain(3).eval(), Geometry(2, 3, 1)) is None


class OverflowsBelow(Chain):
    """What is bright goes through numbers that float16 does not have."""

    def forward(self, lr):
        return super().forward(lr * 250000 / 250000)


def test_what_overflows_on_the_way_is_finished_in_float32():
    generator = OverflowsBelow(3)
    upscaler = Upscaler(generator, device="cpu", dtype="float16")
    assert upscaler._streamer is not None
    image = pixels(120, 20, 3) // 8
    image[90:] = 255
    result = upscaler(image)
    assert grey_levels(result, Upscaler(generator, device="cpu", tile=0)(image)) <= 2


def test_the_first_call_of_a_layer_takes_few_rows(monkeypatch):
    upscaler, inner, first = Upscaler(Chain(3), device="cpu"), Convolution.__call__, {}
    assert upscaler._streamer is not None

    def notes(self, inputs, above, below):
        first.setdefault(id(self), inputs[0].shape[-2] - above - below)
        return inner(self, inputs, above, below)

    monkeypatch.setattr(Convolution, "__call__", notes)
    upscaler(pixels(120, 20, 3))
    assert first
    assert all(rows <= 4 for rows in first.values())


def test_memory_that_runs_out_on_the_way_is_helped_by_tiles(monkeypatch):
    upscaler, image = Upscaler(Chain(3), device="cpu"), pixels(120, 300, 3)
    expected, inner, calls = upscaler(image), Convolution.__call__, []

    def fails(self, inputs, above, below):
        calls.append(1)
        if len(calls) > 5:
            raise MemoryError
        return inner(self, inputs, above, below)

    monkeypatch.setattr(Convolution, "__call__", fails)
    assert grey_levels(upscaler(image), expected) <= 1
    assert len(calls) == 6


def test_no_picture_of_no_numbers():
    upscaler = Upscaler(Chain(3), device="cpu")
    with torch.no_grad():
        next(upscaler.generator.parameters()).fill_(torch.nan)
    with pytest.raises(NotFiniteError):
        upscaler(pixels(20, 20, 3))


def test_other_threads_compute_while_one_traces():
    traced, computed = threading.Event(), threading.Event()

    class Waiting(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, x):
            traced.set()
            assert computed.wait(30)
            return self.layer(x)

    model = Waiting().eval()
    lr = torch.rand(1, 3, 5, 6)
    with torch.inference_mode():
        expected = model.layer(lr)

    def compute():
        assert traced.wait(30)
        try:
            with torch.inference_mode():
                return model.layer(lr)
        finally:
            computed.set()

    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(compute)
        graph = trace_rows(model)
    assert torch.equal(found.result(), expected)
    assert len(graph.nodes) == 1
