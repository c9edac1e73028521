import pytest
import torch

from kornia_srgan.assembly import load_generator
from kornia_srgan.weights.files import load_weights, read_spec, save_weights
from kornia_srgan.weights.spec import WeightSpec
from tests.helpers.layouts import leftthomas
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.tolerances import assert_near


@pytest.fixture
def checkpoint(tmp_path):
    torch.manual_seed(0)
    path = tmp_path / "in.pth"
    torch.save(leftthomas(2, "prelu", tracked=False).make(), path)
    return path


def test_convert_reports_and_writes(checkpoint, tmp_path, capsys):
    out = tmp_path / "new" / "out.safetensors"
    done = invoke(capsys, "convert", checkpoint, "-o", out, "--license", "MIT")
    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "layout:    leftthomas/SRGAN",
        "tensors:   76, all used",
        "generator: srresnet x2 (channels=6, num_blocks=5, norm=batch, output=tanh, body_end=prelu)",
        f"written:   {out}",
    ]
    spec = read_spec(out)
    assert (spec.name, spec.scale, spec.license) == ("srresnet", 2, "MIT")
    assert spec.args["upsampler"] == "pixelshuffle"  # defaults are recorded too
    assert spec.training["imported_from"] == "in.pth"
    lr = torch.rand(1, 3, 5, 7)
    assert torch.equal(load_generator(out).module(lr), load_generator(checkpoint).module(lr))


def test_half_stores_float16(checkpoint, tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    assert invoke(capsys, "convert", checkpoint, "-o", out, "--half").code == 0
    assert load_weights(out)[1]["tail.weight"].dtype == torch.float16
    lr = torch.rand(1, 3, 5, 7)
    assert_near(load_generator(out).module(lr), load_generator(checkpoint).module(lr), torch.float16)


@pytest.mark.parametrize(
    ("value", "options", "word"),
    [(torch.nan, (), "NaN"), (-torch.inf, (), "NaN"), (1e5, ("--half",), "--half")],
)
def test_numbers_that_make_no_picture_are_refused(checkpoint, tmp_path, capsys, value, options, word):
    state = torch.load(checkpoint, weights_only=True)
    state[next(k for k in state if k.endswith("weight"))].view(-1)[0] = value
    torch.save(state, checkpoint)
    out = tmp_path / "out.safetensors"
    result = invoke(capsys, "convert", checkpoint, "-o", out, *options)
    assert_user_error(result, str(checkpoint), word)
    assert not out.exists()


def test_errors_are_one_line(checkpoint, tmp_path, capsys):
    out = tmp_path / "out.safetensors"
    own = tmp_path / "own.safetensors"
    save_weights(own, {}, WeightSpec("edsr", {}, 4))
    text = tmp_path / "text.pth"
    text.write_text("hello")
    assert_user_error(invoke(capsys, "convert", tmp_path / "no.pth", "-o", out), "no.pth' not found")
    assert_user_error(invoke(capsys, "convert", own, "-o", out), "already a weight file", "edsr x4")
    assert_user_error(invoke(capsys, "convert", text, "-o", out), "neither safetensors nor")
    assert_user_error(
        invoke(capsys, "convert", checkpoint, "-o", tmp_path / "x.pth"), "name it x.safetensors"
    )
    checkpoint.write_bytes(checkpoint.read_bytes()[:-1000])
    assert_user_error(invoke(capsys, "convert", checkpoint, "-o", out), "fetch it again")
    torch.save({"a": torch.zeros(1)}, checkpoint)
    assert_user_error(invoke(capsys, "convert", checkpoint, "-o", out), "no known layout", "leftthomas/SRGAN")
    assert not out.exists()


def test_output_that_cannot_be_written_is_found_out_first(checkpoint, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("kornia_srgan.weights.foreign.import_weights", None)
    (tmp_path / "file").touch()
    done = invoke(capsys, "convert", checkpoint, "-o", tmp_path / "file" / "out.safetensors")
    assert_user_error(done, "cannot write", "out.safetensors")
