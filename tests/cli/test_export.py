import pytest
import torch

from kornia_srgan.assembly import build_generator, generator_spec
from kornia_srgan.config.model import Component
from kornia_srgan.weights.files import save_weights
from tests.helpers.runner import assert_user_error, invoke


@pytest.fixture
def weights(tmp_path):
    component = Component(name="edsr", args={"channels": 4, "num_blocks": 1})
    path = tmp_path / "w.safetensors"
    save_weights(path, build_generator(component, scale=2).state_dict(), generator_spec(component, 2))
    return path


def test_export_prints_parity(weights, tmp_path, capsys):
    out = tmp_path / "g.pt2"
    done = invoke(capsys, "export", weights, "-o", out)
    assert done.code == 0, done.err
    assert done.err == ""
    lines = done.out.splitlines()
    assert lines[0] == "generator: edsr x2"
    assert sum(line.startswith("parity:") and "differs by at most" in line for line in lines) == 3
    assert lines[-1].startswith(f"written:   {out} (pt2, ")
    assert torch.export.load(out).module()(torch.rand(3, 3, 9, 4)).shape == (3, 3, 18, 8)


def test_errors_are_one_line(weights, tmp_path, capsys):
    out = tmp_path / "g.pt2"
    assert_user_error(invoke(capsys, "export", tmp_path / "no", "-o", out), "no' not found")
    assert_user_error(invoke(capsys, "export", weights, "-o", tmp_path / "g.zip"), "onnx, pt2")
    assert_user_error(invoke(capsys, "export", weights, "-o", out, "--format", "x"), "format 'x'")
    (tmp_path / "file").touch()
    assert_user_error(invoke(capsys, "export", weights, "-o", tmp_path / "file" / "g.pt2"), "cannot write")
