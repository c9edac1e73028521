"""Other engines give PyTorch's picture, in tiles, whatever the kind of generator."""

import importlib.util
import json
import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import chain, repeat

import numpy as np
import pytest
import torch
from torch import nn

from kornia_srgan.components.generators.edsr import EDSR
from kornia_srgan.components.generators.rrdb import RRDB
from kornia_srgan.components.generators.span import SPAN
from kornia_srgan.components.generators.srresnet import SRResNet
from kornia_srgan.engines import choice, onnx_generator
from kornia_srgan.engines.onnx_generator import OnnxGenerator, read_onnx
from kornia_srgan.engines.sessions import ENGINES, check_engine, onnxruntime_options, open_session
from kornia_srgan.errors import ArgumentError, MissingExtraError, UserError, WeightsNotFoundError
from kornia_srgan.export import module_to_onnx
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.registry.catalog import GENERATORS
from tests.helpers.extras import pretend_missing
from tests.helpers.tolerances import assert_near

if any(importlib.util.find_spec(name) is None for name in ("onnx", "onnxscript")):
    pytest.skip("onnx and onnxscript are not installed", allow_module_level=True)

NETS = {
    "edsr": lambda: EDSR(scale=2, channels=8, num_blocks=1),
    "srresnet": lambda: SRResNet(scale=3, channels=8, num_blocks=1),
    "span": lambda: SPAN(scale=4, channels=8, num_blocks=1),
    "rrdb x2, aligned": lambda: RRDB(scale=2, channels=8, num_blocks=1, growth_channels=4),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(choice, "module_to_onnx", exported)


@cache
def exported_bytes(name):
    return module_to_onnx(made(name))


def exported(net):
    """Once for all tests: exporting takes seconds."""
    (name,) = (n for n, make in NETS.items() if isinstance(net, type(make())))
    return exported_bytes(name)


@pytest.fixture(params=ENGINES)
def engine(request):
    pytest.importorskip(request.param, reason=f"{request.param} is not installed")
    return request.param


def made(name):
    torch.manual_seed(0)
    return NETS[name]().eval()


def pixels(height=37, width=29, channels=3):
    return np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("name", NETS)
def test_gives_the_picture_of_pytorch_in_tiles(name, engine):
    net = made(name)
    served = Upscaler(net, engine=engine, tile=16)
    assert served.generator.engine == engine
    # Exported for two multiples of the alignment at least: smaller pictures see their border repeated.
    smallest = 2 * served.generator.align if served.generator.align > 1 else 1
    for image in (pixels(), pixels(smallest, smallest), pixels(23, 18, 1)):
        difference = served(image).astype(int) - Upscaler(net, device="cpu", tile=0)(image)
        assert abs(difference).max() <= 1


def test_metadata_say_the_geometry_and_foreign_files_are_measured(engine):
    net = made("edsr")
    data = exported(net)
    told = OnnxGenerator(data, engine)
    assert (told.scale, told.halo, told.align) == (net.scale, net.halo, 1)
    onnx = pytest.importorskip("onnx")
    proto = onnx.load_from_string(data)
    del proto.metadata_props[:]
    measured = OnnxGenerator(proto.SerializeToString(), engine)
    assert (measured.scale, measured.halo) == (net.scale, net.halo)


def test_files_are_weights(tmp_path, engine):
    path = tmp_path / "m.onnx"
    net = made("edsr")
    path.write_bytes(exported(net))
    served = Upscaler.from_pretrained(path, engine=engine, ensemble=True)
    assert served.scale == 2
    assert served(pixels()).shape == (74, 58, 3)
    again = pickle.loads(pickle.dumps(read_onnx(path, engine)))
    lr = torch.rand(2, 3, 9, 8)
    with torch.inference_mode():
        assert_near(again(lr), net(lr), "network")
    assert read_onnx(path, "torch").engine in ENGINES


def test_threads_of_onnxruntime_are_torchs_and_stop_after_a_run():
    pytest.importorskip("onnxruntime")
    options = onnxruntime_options()
    assert options.intra_op_num_threads == torch.get_num_threads()
    assert options.get_session_config_entry("session.force_spinning_stop") == "1"


def test_threads_do_not_see_each_others_pictures(engine):
    served = OnnxGenerator(exported_bytes("edsr"), engine)
    images = [torch.rand(1, 3, 9 + i, 12, generator=torch.Generator().manual_seed(i)) for i in range(6)]
    alone = [served(image) for image in images]
    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(served, images * 5))
    for found, expected in zip(together, alone * 5, strict=True):
        assert torch.equal(found, expected)


class Fixed(nn.Module):
    def forward(self, x):
        return nn.functional.interpolate(x, scale_factor=2)


@pytest.mark.parametrize(
    ("module", "shape", "told"),
    [
        (Fixed(), (1, 3, 8, 8), "8 x 8 pixels only"),
        (nn.Conv2d(1, 1, 1), (1, 1, 8, 8), "takes"),
    ],
)
def test_what_cannot_serve_is_explained(module, shape, told, engine, tmp_path):
    path = tmp_path / "m.onnx"
    torch.onnx.export(
        module.eval(), (torch.rand(shape),), str(path), dynamo=True, external_data=False, verbose=False
    )
    with pytest.raises(UserError, match=told):
        read_onnx(path, engine)


def test_wrong_files_and_names(tmp_path, engine):
    (tmp_path / "m.onnx").write_bytes(b"no network")
    with pytest.raises(UserError, match=f"{engine} cannot read the ONNX file"):
        read_onnx(tmp_path / "m.onnx", engine)
    with pytest.raises(WeightsNotFoundError):
        read_onnx(tmp_path / "none.onnx", engine)
    with pytest.raises(ArgumentError, match="did you mean 'openvino'"):
        check_engine("openvin")
    with pytest.raises(ArgumentError, match="provider"):
        open_session(exported_bytes("edsr"), engine, "abacus")
    with pytest.raises(ArgumentError, match="provider"):
        Upscaler(made("edsr"), provider="cuda")


def test_an_engine_that_is_not_installed_names_the_extra(monkeypatch):
    pretend_missing(monkeypatch, "openvino")
    with pytest.raises(MissingExtraError, match=r"kornia-srgan\[engines\]"):
        Upscaler(made("edsr"), engine="openvino")


@pytest.mark.parametrize(("gain", "expected"), [(1.05, False), (1.3, True)])
def test_auto_takes_an_engine_for_more_than_ten_percent_and_remembers(
    gain, expected, engine, monkeypatch, tmp_path
):
    calls = []

    def seconds(generator, dtype):
        calls.append(generator)
        return 1 / gain if isinstance(generator, OnnxGenerator) else 1.0

    monkeypatch.setattr(choice, "_seconds", seconds)
    monkeypatch.setattr(choice, "installed_engines", lambda: [engine])
    net = made("edsr")
    for _ in range(2):
        assert isinstance(choice.with_engine(net, "auto"), OnnxGenerator) is expected
    assert len(calls) == 2 * choice._ROUNDS  # in turns; the second time it is known
    pairs = zip(calls[::2], calls[1::2], strict=True)
    assert all({isinstance(call, OnnxGenerator) for call in pair} == {False, True} for pair in pairs)
    (kept,) = (tmp_path / "cache/kornia_srgan/engines").glob("*.json")
    assert json.loads(kept.read_text())["engine"] == (engine if expected else "torch")
    other = made("edsr")
    with torch.no_grad():
        other.head.weight.mul_(2)
    choice.with_engine(other, "auto")
    assert len(calls) == 4 * choice._ROUNDS


def test_auto_measures_anew_with_other_instructions(engine, monkeypatch, tmp_path):
    calls = []
    monkeypatch.setattr(choice, "_seconds", lambda *of: calls.append(of) or 1.0)
    monkeypatch.setattr(choice, "installed_engines", lambda: [engine])
    net = made("edsr")
    for instructions, times in ((["AVX2"], 1), (["AVX2", "AMX BF16"], 2), (["AVX2"], 2)):
        monkeypatch.setattr(choice, "instruction_set", lambda told=instructions: told)
        choice.with_engine(net, "auto")
        assert len(calls) == times * 2 * choice._ROUNDS


def test_auto_measures_nothing_where_no_engine_can_serve(monkeypatch, tmp_path):
    def refused(*args, **options):
        raise UserError("not this one")

    monkeypatch.setattr(choice, "_exported", refused)
    monkeypatch.setattr(choice, "_seconds", None)
    monkeypatch.setattr(choice, "installed_engines", lambda: ["onnxruntime"])
    net = made("edsr")
    assert choice.with_engine(net, "auto") is net
    (kept,) = (tmp_path / "cache/kornia_srgan/engines").glob("*.json")
    assert json.loads(kept.read_text())["engine"] == "torch"


def test_auto_compares_the_best_pass_of_each(engine, monkeypatch):
    # A slow pass, as while something else runs or OpenVINO compiles for a size, decides nothing.
    late = [9.0] * (choice._ROUNDS - 2)
    passes = {False: chain([9.0, 1.0], repeat(9.0)), True: chain([*late, 0.5], repeat(9.0))}
    monkeypatch.setattr(choice, "_seconds", lambda net, dtype: next(passes[isinstance(net, OnnxGenerator)]))
    monkeypatch.setattr(choice, "installed_engines", lambda: [engine])
    assert isinstance(choice.with_engine(made("edsr"), "auto"), OnnxGenerator)


def test_auto_measures_on_in_a_busy_moment(engine, monkeypatch):
    busy = [2.0 - 0.1 * i for i in range(choice._ROUNDS)]  # no two passes agree
    passes = {False: chain(busy, repeat(1.0)), True: repeat(1.3)}
    monkeypatch.setattr(choice, "_seconds", lambda net, dtype: next(passes[isinstance(net, OnnxGenerator)]))
    monkeypatch.setattr(choice, "installed_engines", lambda: [engine])
    assert min(busy) > 1.3 * choice._GAIN  # so that the first rounds alone are for the engine
    assert not isinstance(choice.with_engine(made("edsr"), "auto"), OnnxGenerator)


def test_bfloat16_is_openvinos():
    pytest.importorskip("openvino", reason="openvino is not installed")
    net, lr = made("edsr"), torch.rand(1, 3, 16, 12)
    served = Upscaler(net, engine="openvino", dtype="bf16", device="cpu")
    assert served.dtype == torch.float32  # what goes in and comes out; the engine computes inside
    with torch.inference_mode():
        exact, found = net(lr), served.generator(lr)
        again = pickle.loads(pickle.dumps(served.generator))(lr)
    assert found.dtype == torch.float32
    assert_near(found, exact, torch.bfloat16)
    assert torch.equal(again, found)


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("openvino", "float16"), ("onnxruntime", torch.float16), ("onnxruntime", "bfloat16")],
)
def test_a_dtype_that_an_engine_does_not_compute_in_is_told(name, dtype):
    pytest.importorskip(name, reason=f"{name} is not installed")
    with pytest.raises(ArgumentError, match=f"{name} does not compute in b?float16"):
        Upscaler(made("edsr"), engine=name, dtype=dtype)


def test_a_part_that_would_compute_in_float32_is_told(tmp_path):
    pytest.importorskip("openvino", reason="openvino is not installed")
    path = tmp_path / "m.onnx"
    path.write_bytes(exported_bytes("edsr"))
    with pytest.raises(ArgumentError, match="the ONNX file was read for float32"):
        Upscaler(read_onnx(path, "openvino"), dtype="bfloat16")
    with pytest.raises(ArgumentError, match="beside an ONNX file PyTorch computes in float32"):
        Upscaler.from_pretrained("edsr-x2", then=[path], dtype="bfloat16")
    lone = Upscaler(read_onnx(path, "openvino", bfloat16=True), dtype="bfloat16")
    chain = Upscaler.from_pretrained(path, engine="openvino", then=[path], dtype="bfloat16", ensemble=True)
    assert (lone.scale, chain.scale) == (2, 4)
    for dtype in ("auto", "float32"):
        assert Upscaler.from_pretrained("edsr-x2", then=[path], dtype=dtype).scale == 4


def test_auto_lets_openvino_compute_in_the_dtype_that_was_asked_for(monkeypatch):
    pytest.importorskip("openvino", reason="openvino is not installed")
    asked = []

    def session(data, engine, provider=None, *, bfloat16=False):
        asked.append((engine, bfloat16))
        return open_session(data, engine, provider)

    monkeypatch.setattr(onnx_generator, "open_session", session)
    monkeypatch.setattr(choice, "_seconds", lambda net, dtype: 1.0)
    for dtype in ("auto", "float32", "bfloat16"):
        choice.with_engine(made("edsr"), "auto", dtype=dtype)
    expected = {(name, False) for name in choice.installed_engines()}
    assert set(asked) == expected | {("openvino", True)}
    assert asked.count(("openvino", True)) == 1


def test_auto_asks_again_once_exporting_is_possible(engine, monkeypatch):
    monkeypatch.setattr(choice, "installed_engines", lambda: [engine])
    monkeypatch.setattr(choice, "_seconds", lambda net, dtype: 1.0 if isinstance(net, OnnxGenerator) else 2.0)
    net = made("edsr")
    with monkeypatch.context() as patch:
        patch.setattr(choice, "module_to_onnx", module_to_onnx)
        pretend_missing(patch, "onnx", "onnxscript")
        assert choice.with_engine(net, "auto") is net
    assert isinstance(choice.with_engine(net, "auto"), OnnxGenerator)
    for file in choice._cache().glob("*.onnx"):
        file.unlink()
    monkeypatch.setattr(choice, "module_to_onnx", module_to_onnx)
    pretend_missing(monkeypatch, "onnx", "onnxscript")
    assert choice.with_engine(net, "auto") is net


def test_auto_does_not_pass_over_a_provider_that_is_not_there():
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    with pytest.raises(ArgumentError, match="abacus"):
        choice.with_engine(made("edsr"), "auto", "abacus")


def test_an_onnx_file_is_not_computed_in_float16(tmp_path, engine):
    (tmp_path / "m.onnx").write_bytes(exported_bytes("edsr"))
    with pytest.raises(ArgumentError, match="ONNX file does not compute in float16"):
        Upscaler.from_pretrained(tmp_path / "m.onnx", engine=engine, dtype="float16")


def test_auto_without_engines_is_pytorch(monkeypatch):
    monkeypatch.setattr(choice, "installed_engines", list)
    net = made("edsr")
    assert choice.with_engine(net, "auto") is net


@pytest.mark.parametrize("name", ["edsr", "ecbsr", "edge_resnet"])
def test_what_is_exported_for_an_engine_does_the_same_without_interpolation(name):
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    torch.manual_seed(0)
    net = GENERATORS.create(name, scale=2, channels=8, num_blocks=1).eval()
    data = module_to_onnx(choice._simplified(net))
    assert "Resize" not in {node.op_type for node in onnx.load_from_string(data).graph.node}
    made = OnnxGenerator(data, "onnxruntime")
    assert (made.scale, made.halo) == (net.scale, net.halo)
    for height, width in ((1, 1), (7, 4)):
        lr = torch.rand(1, 3, height, width)
        with torch.inference_mode():
            assert_near(made(lr), net(lr), "exported")
