import torch

from kornia_srgan import __version__
from kornia_srgan.cli import doctor
from kornia_srgan.registry.catalog import GENERATORS
from tests.helpers.runner import invoke


def test_report(capsys):
    shown = invoke(capsys, "doctor")
    assert shown.code == 0, shown.out + shown.err
    lines = [line.split(None, 1) for line in shown.out.splitlines()]
    found = {line[0]: line[1] for line in lines if len(line) == 2}
    assert found["kornia_srgan"] == __version__
    assert found["torch"].startswith(torch.__version__.split("+")[0])
    assert "cores" in found["cpu"] or "ok" in found["cpu"]
    for heading in ("versions", "devices", "packaged weights", "extras", "plug-ins", "self test"):
        assert f"{heading}\n" in shown.out


def test_a_failing_self_test_is_exit_code_1(capsys, monkeypatch):
    class Broken(torch.nn.Module):
        def __init__(self, **_):
            super().__init__()
            self.calls = 0

        def forward(self, lr):
            self.calls += 1
            if self.calls > 1:
                raise RuntimeError("no kernel\nfor this")
            return torch.zeros(1, 3, 96, 96, requires_grad=True)

    with GENERATORS.temporary():
        GENERATORS.register("edsr", override=True)(lambda **_: Broken())
        shown = invoke(capsys, "doctor")
    assert shown.code == 1
    assert "FAILED: RuntimeError: no kernel for this" in shown.out


def test_a_plugin_and_one_that_fails_are_named(monkeypatch):
    import warnings

    monkeypatch.setattr(
        "kornia_srgan.registry.plugins.load_entry_points",
        lambda: warnings.warn("plug-in 'x' of y fails", stacklevel=1),
    )
    with GENERATORS.temporary():
        GENERATORS.register("mine")(lambda *, scale=4: scale)
        found = dict(doctor.list_plugins())
    assert found == {__name__: "generator mine", "FAILED": "plug-in 'x' of y fails"}
