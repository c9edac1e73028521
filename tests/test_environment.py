import subprocess

import pytest

from kornia_srgan.environment import git_revision, package_version, require_extra
from kornia_srgan.errors import MissingExtraError


def test_the_revision_is_that_of_this_tree_only(tmp_path):
    """A package installed inside another project's checkout must not name that project's commit."""
    inside = tmp_path / "venv" / "site-packages"
    inside.mkdir(parents=True)
    author = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    for command in (("init", "-q"), (*author, "commit", "-q", "--allow-empty", "-m", "theirs")):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    head = subprocess.run(
        ["git", "-C", str(tmp_path), "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    assert git_revision(tmp_path) == head[:12]
    assert git_revision(inside) == ""


def test_versions_of_what_is_and_is_not_installed():
    assert package_version("torch") is not None
    assert package_version("no-such-distribution") is None


def test_a_missing_extra_is_named_with_the_command_that_installs_it():
    require_extra("dev", "json", purpose="this test")
    with pytest.raises(MissingExtraError) as caught:
        require_extra("demo", "json", "no_such_module", purpose="the demo")
    assert str(caught.value) == (
        "the demo needs no_such_module, which is not installed; run: pip install 'kornia-srgan[demo]'"
    )
