import subprocess

import pytest

from kornia_srgan.environment import cache_folder, git_revision, package_version, require_extra
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


def test_of_several_modules_one_may_be_enough():
    require_extra("engines", "json", "no_such_module", purpose="this test", any_of=True)
    with pytest.raises(MissingExtraError, match=r"a file needs no_such_module or nor_this, which"):
        require_extra("engines", "no_such_module", "nor_this", purpose="a file", any_of=True)


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.delenv("KORNIA_SRGAN_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "kornia_srgan"
    monkeypatch.setenv("KORNIA_SRGAN_CACHE", str(tmp_path / "other"))
    assert cache_folder() == tmp_path / "other"
