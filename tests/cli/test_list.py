from kornia_srgan.catalog import GENERATORS, REGISTRIES
from tests.cli.runner import assert_user_error, invoke

PLUGIN = """
from torch import nn
from kornia_srgan import GENERATORS

@GENERATORS.register("listed_by_test", summary="[made] for a test")
class Listed(nn.Module):
    \"\"\"A generator of a test.\"\"\"
    def __init__(self, *, scale: int = 4):
        super().__init__()
        self.scale = scale
"""


def test_every_component_is_listed(capsys):
    shown = invoke(capsys, "list")
    assert shown.code == 0
    for registry in REGISTRIES.values():
        for entry in registry.entries():
            line = next(
                x
                for x in shown.out.splitlines()
                if x.split()[:2] in ([registry.kind, entry.name], [registry.kind, f"{entry.name},"])
            )
            assert entry.summary in line
            assert line.rstrip().endswith(entry.source)


def test_one_kind(capsys):
    assert "srresnet" in invoke(capsys, "list", "generators").out
    assert "charbonnier" not in invoke(capsys, "list", "generators").out


def test_unknown_kind_has_a_suggestion(capsys):
    assert_user_error(invoke(capsys, "list", "generatr"), "did you mean 'generator'?")


def test_plugin_is_listed_with_its_source(capsys, tmp_path):
    plugin = tmp_path / "my_listed.py"
    plugin.write_text(PLUGIN)
    with GENERATORS.temporary():
        shown = invoke(capsys, "list", "--plugin", plugin, "--source", "my_listed").out
    lines = shown.splitlines()
    assert len(lines) == 2
    assert "listed_by_test" in lines[1]
    assert "[made] for a test" in lines[1]
    assert lines[1].rstrip().endswith(str(plugin))


def test_missing_plugin(capsys, tmp_path):
    assert_user_error(
        invoke(capsys, "list", "--plugin", tmp_path / "no.py"), "plug-in file not found", "no.py"
    )
