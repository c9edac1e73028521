from kornia_srgan.registry.catalog import GENERATORS, REGISTRIES
from tests.helpers.runner import assert_user_error, invoke

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
        plain = invoke(capsys, "list", "--plugin", plugin).out
        with_factory = invoke(capsys, "list", "--plugin", plugin, "--source").out
    (line,) = (x for x in plain.splitlines() if "listed_by_test" in x)
    assert "[made] for a test" in line
    assert line.rstrip().endswith(str(plugin))
    (line,) = (x for x in with_factory.splitlines() if "listed_by_test" in x)
    assert str(plugin) in line
    assert line.split()[-1].startswith("my_listed:")


def test_missing_plugin(capsys, tmp_path):
    assert_user_error(
        invoke(capsys, "list", "--plugin", tmp_path / "no.py"), "plug-in file not found", "no.py"
    )
