import torch

from kornia_srgan.assembly import generator_spec
from kornia_srgan.config.model import Component
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.files import load_weights, save_weights
from tests.helpers.runner import assert_user_error, invoke


def weights(path, seed):
    torch.manual_seed(seed)
    component = Component(name="edsr", args={"channels": 8, "num_blocks": 1})
    net = GENERATORS.create("edsr", scale=2, **component.args)
    save_weights(path, net.state_dict(), generator_spec(component, 2))
    return path


def test_blend_writes_weights_that_upscale(tmp_path, capsys):
    a, b = weights(tmp_path / "a.safetensors", 1), weights(tmp_path / "b.safetensors", 2)
    out = tmp_path / "new" / "out.safetensors"
    done = invoke(capsys, "blend", a, b, "-o", out, "--amount", "0.25")
    assert done.code == 0, done.err
    assert done.out == f"written:   {out} (edsr x2, 0.25 of {b})\n"
    states = [load_weights(path)[1]["head.weight"] for path in (a, b, out)]
    torch.testing.assert_close(states[2], 0.75 * states[0] + 0.25 * states[1])


def test_users_mistakes(tmp_path, capsys):
    a = weights(tmp_path / "a.safetensors", 1)
    assert_user_error(invoke(capsys, "blend", a, a, "-o", tmp_path / "out.pth"), "name it out.safetensors")
    done = invoke(capsys, "blend", a, "edsr-x4", "-o", tmp_path / "out.safetensors")
    assert_user_error(done, "different architectures")
