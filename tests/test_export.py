import io
import warnings

import numpy as np
import pytest
import torch
from torch import nn

from kornia_srgan import export as module
from kornia_srgan.assembly import LoadedGenerator, build_generator, generator_spec
from kornia_srgan.config.model import Component
from kornia_srgan.errors import KorniaSRGANError, MissingExtraError, UserError
from kornia_srgan.export import export_generator
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.files import save_weights
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.extras import pretend_missing
from tests.helpers.names import generator_names
from tests.helpers.tolerances import assert_near

SMALL = {"channels": 8, "num_blocks": 1, "num_convs": 2, "growth_channels": 4}


def loaded(name: str, scale: int) -> LoadedGenerator:
    known = GENERATORS.get(name).parameters()
    component = Component(name=name, args={k: v for k, v in SMALL.items() if k in known})
    torch.manual_seed(0)
    return LoadedGenerator(build_generator(component, scale=scale).eval(), generator_spec(component, scale))


def run_onnx(path, lr: torch.Tensor) -> torch.Tensor:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(["sr"], {"lr": lr.numpy()})[0])


# x2 of rrdb has an alignment; its sizes are multiples of it.
@pytest.mark.parametrize(("name", "scale"), [*((n, 4) for n in generator_names()), ("rrdb", 2)])
def test_every_generator_as_pt2_at_sizes_it_was_not_traced_with(name, scale, tmp_path):
    generator = loaded(name, scale)
    done = export_generator(generator, tmp_path / "g.pt2")
    assert done.format == "pt2"
    extra = {"kornia_srgan.json": ""}
    program = torch.export.load(tmp_path / "g.pt2", extra_files=extra)
    assert WeightSpec.from_json(extra["kornia_srgan.json"], "g") == generator.spec == done.spec
    for batch, height, width in ((1, 11, 6), (5, 40, 3)):
        lr = torch.rand(batch, 3, height * done.align, width * done.align)
        assert_near(program.module()(lr), generator.module(lr), "exported")


def check_onnx(name: str, scale: int, path) -> None:
    onnx = pytest.importorskip("onnx")
    generator = loaded(name, scale)
    done = export_generator(generator, path)
    assert done.format == "onnx"
    assert max(check.difference for check in done.parity) < 1e-5
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    assert WeightSpec.from_json(metadata["kornia_srgan"], "g") == generator.spec
    assert metadata["scale"] == str(scale)
    for batch, height, width in ((1, 11, 6), (5, 40, 3)):
        lr = torch.rand(batch, 3, height * done.align, width * done.align)
        with torch.no_grad():
            assert_near(run_onnx(path, lr), generator.module(lr), "exported")
    assert [p.name for p in path.parent.iterdir()] == [path.name]  # nothing beside the file


def test_onnx(tmp_path):
    check_onnx("srresnet", 4, tmp_path / "g.onnx")


@pytest.mark.slow
@pytest.mark.parametrize("name", generator_names())
def test_every_generator_as_onnx(name, tmp_path):
    check_onnx(name, 2, tmp_path / "g.onnx")


def test_branches_of_training_are_not_exported(tmp_path):
    onnx = pytest.importorskip("onnx")
    args = {"channels": 64, "num_blocks": 1, "block_convs": 2}  # the exporter itself folds smaller ones
    component = Component(name="edge_resnet", args=args)
    generator = LoadedGenerator(build_generator(component, scale=2).eval(), generator_spec(component, 2))
    export_generator(generator, tmp_path / "edge.onnx")
    kinds = [node.op_type for node in onnx.load(str(tmp_path / "edge.onnx")).graph.node]
    assert kinds.count("Conv") == 4
    assert "Einsum" not in kinds
    assert kinds.count("Add") <= 2  # the residual and the enlarged image


def test_from_a_weight_file_and_without_a_trace_on_the_generator(tmp_path):
    generator = loaded("edsr", 2)
    path = tmp_path / "w.safetensors"
    spec = save_weights(path, generator.module.state_dict(), generator.spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        done = export_generator(path, tmp_path / "g", format="pt2")
    assert done.spec == spec
    assert torch.export.load(io.BytesIO((tmp_path / "g").read_bytes()))


class Fixed(nn.Module):
    """Works for one width only."""

    scale = 1

    def forward(self, x):
        return x @ torch.ones(20, 20)


class Growing(nn.Module):
    """Answers otherwise on every call."""

    scale = 1

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + self.calls


def test_a_generator_of_fixed_size_is_refused(tmp_path):
    spec = WeightSpec("fixed", {}, 1)
    with pytest.raises(UserError, match=r"'fixed' cannot be exported with free sizes: .+") as error:
        export_generator(LoadedGenerator(Fixed(), spec), tmp_path / "g.pt2")
    assert "\n" not in str(error.value)


def test_a_difference_is_noticed_and_nothing_written(tmp_path):
    with pytest.raises(KorniaSRGANError, match=r"'growing' differs from the original by \d"):
        export_generator(LoadedGenerator(Growing(), WeightSpec("growing", {}, 1)), tmp_path / "g.pt2")
    assert list(tmp_path.iterdir()) == []


def test_not_a_number_is_a_difference(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_compare", lambda *_: module.Parity((1,), np.nan))
    with pytest.raises(KorniaSRGANError, match="differs"):
        export_generator(loaded("edsr", 1), tmp_path / "g.pt2")


def test_bad_input(tmp_path, monkeypatch):
    with pytest.raises(UserError, match=r"the suffix '.zip' is none of onnx, pt2"):
        export_generator(loaded("edsr", 1), tmp_path / "g.zip")
    with pytest.raises(UserError, match="format 'tflite' is none of onnx, pt2"):
        export_generator(loaded("edsr", 1), tmp_path / "g.onnx", format="tflite")  # type: ignore[arg-type]
    pretend_missing(monkeypatch, "onnxscript")
    with pytest.raises(MissingExtraError, match=r"needs onnxscript, .*kornia-srgan\[export\]"):
        export_generator(loaded("edsr", 1), tmp_path / "g.onnx")
