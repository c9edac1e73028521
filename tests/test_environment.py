import subprocess

from kornia_srgan.environment import revision


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
    assert revision(tmp_path) == head[:12]
    assert revision(inside) == ""
