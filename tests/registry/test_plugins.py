"""The three doors: decorator, file or module, entry point."""

import subprocess
import sys
import textwrap

import pytest

from kornia_srgan.errors import PluginError
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.registry.plugins import load_plugin, load_plugins
from tests.helpers.distributions import make_distribution

SOURCE = """
from torch import nn
from kornia_srgan import GENERATORS

@GENERATORS.register("{name}", summary="from a plug-in")
class Mine(nn.Module):
    def __init__(self, *, scale: int = 4):
        super().__init__()
        self.scale = scale
"""


@pytest.fixture(autouse=True)
def isolated(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    with GENERATORS.temporary():
        yield


def test_door_one_the_decorator_in_ones_own_script():
    @GENERATORS.register("mine-by-hand")
    class Mine:
        def __init__(self, *, scale: int = 4):
            self.scale = scale

    assert GENERATORS.create("mine_by_hand", scale=2).scale == 2
    assert GENERATORS.get("mine_by_hand").source == __name__


def test_door_two_a_file(tmp_path):
    path = tmp_path / "door_two_file.py"
    path.write_text(SOURCE.format(name="from_file"))
    load_plugins([str(path), str(path)])  # the second time does nothing
    assert GENERATORS.create("from_file", scale=3).scale == 3
    assert GENERATORS.get("from_file").source == str(path)
    assert GENERATORS.get("from_file").load().__module__ == "door_two_file"  # can be pickled


def test_door_two_a_file_beside_its_helper(tmp_path):
    (tmp_path / "door_two_helper.py").write_text("NAME = 'with_helper'\n")
    path = tmp_path / "door_two_user.py"
    path.write_text("from door_two_helper import NAME\n" + SOURCE.replace('"{name}"', "NAME"))
    load_plugin(path)
    assert "with_helper" in GENERATORS


def test_door_two_a_module(tmp_path, monkeypatch):
    package = tmp_path / "door_two_pkg"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "backbones.py").write_text(SOURCE.format(name="from_module"))
    monkeypatch.syspath_prepend(tmp_path)
    load_plugin("door_two_pkg.backbones")
    assert GENERATORS.get("from_module").source == "door_two_pkg.backbones"


@pytest.mark.parametrize("spec", ["no/such/file.py", "no_such_file.py"])
def test_door_two_missing_file(spec):
    with pytest.raises(PluginError, match="plug-in file not found"):
        load_plugin(spec)


def test_door_two_missing_module():
    with pytest.raises(PluginError, match=r"'no\.such\.module' could not be imported: ModuleNotFoundError"):
        load_plugin("no.such.module")


def test_door_two_a_file_that_fails_can_be_mended_and_loaded_again(tmp_path):
    path = tmp_path / "door_two_broken.py"
    path.write_text("import no_such_thing\n")
    with pytest.raises(
        PluginError, match=r"door_two_broken\.py' \(line 1\).*No module named 'no_such_thing'"
    ):
        load_plugin(path)
    assert "door_two_broken" not in sys.modules
    path.write_text(SOURCE.format(name="mended"))
    load_plugin(path)
    assert "mended" in GENERATORS


def in_a_fresh_process(site, code):
    return subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(site)!r})\n{textwrap.dedent(code)}"],
        capture_output=True,
        text=True,
        check=False,
    )


LIGHT = """
from kornia_srgan.registry.catalog import GENERATORS

@GENERATORS.register("{name}")
def make(*, scale: int = 4):
    return scale
"""


def test_door_three_an_installed_distribution(tmp_path):
    make_distribution(tmp_path, "my-backbones", "my_backbones", LIGHT.format(name="installed_net"))
    done = in_a_fresh_process(
        tmp_path,
        """
        from kornia_srgan.registry.catalog import GENERATORS
        assert "installed_net" not in GENERATORS  # nothing is imported before a name misses
        print(GENERATORS.create("installed-net", scale=2), GENERATORS.get("installed_net").source)
        """,
    )
    assert done.stdout == "2 my-backbones\n", done.stderr


def test_door_three_is_listed(tmp_path):
    make_distribution(tmp_path, "my-backbones", "my_backbones", LIGHT.format(name="installed_net"))
    listing = "from kornia_srgan.cli.app import run_command_line; run_command_line(['list', 'generator'])"
    done = in_a_fresh_process(tmp_path, listing)
    assert ["generator", "installed_net", "my-backbones"] in [
        line.split() for line in done.stdout.splitlines()
    ]


def test_door_three_a_broken_distribution_warns_by_name_and_leaves_the_others(tmp_path):
    make_distribution(tmp_path, "a-broken", "a_broken", "import no_such_thing")
    make_distribution(tmp_path, "b-good", "b_good", LIGHT.format(name="good_net"))
    done = in_a_fresh_process(
        tmp_path, "from kornia_srgan.registry.catalog import GENERATORS; print(GENERATORS.create('good_net'))"
    )
    assert done.stdout == "4\n"
    assert "a-broken could not be imported and is left out" in done.stderr
    assert "no_such_thing" in done.stderr


def test_door_three_order_is_by_distribution_name(tmp_path):
    for name in ("z-last", "a-first", "m-middle"):
        make_distribution(tmp_path, name, name.replace("-", "_"), f"print({name!r})")
    done = in_a_fresh_process(
        tmp_path, "from kornia_srgan.registry.plugins import load_entry_points as f; f(); f()"
    )
    assert done.stdout.split() == ["a-first", "m-middle", "z-last"]
