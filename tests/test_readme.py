"""What our pages print is run as printed: Python blocks in one session a page, commands one by one."""

import shlex
import shutil

import pytest

from kornia_srgan.catalog import GENERATORS
from kornia_srgan.cli.app import run
from kornia_srgan.weights.locate import zoo_names
from tests.snippets import ROOT, run_python, snippets

GUIDES = sorted(f"docs/guides/{p.name}" for p in ROOT.glob("docs/guides/*.md"))
PAGES = ["README.md", "docs/quickstart.md", "docs/concepts.md", *GUIDES]
COMMANDS = [
    pytest.param(command, id=f"{snippet.file}:{snippet.line}:{number}")
    for page in PAGES
    for snippet in snippets(page, "bash")
    if not snippet.not_run
    for number, command in enumerate(snippet.code.replace("\\\n", " ").splitlines())
    if "kornia-srgan " in command
]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader's working folder with our pictures in it; needs the packaged weights."""
    if not zoo_names():
        pytest.skip("the packaged weights are not in this tree")
    shutil.copytree(ROOT / "docs/images", tmp_path / "docs/images")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
def test_python_blocks_run(page, reader):
    with GENERATORS.temporary():
        run_python(page, {})


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_run(line, reader):
    words = shlex.split(line[line.index("kornia-srgan ") :], comments=True)
    arguments = []
    for word in words[1:]:
        arguments += sorted(str(p) for p in reader.glob(word)) if "*" in word else [word]
    assert run([str(a) for a in arguments]) == 0


def test_links_of_the_readme_lead_somewhere():
    import re

    for page in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8")):
            assert target.startswith("http") or (ROOT / target).exists(), f"{page}: {target}"


def test_the_two_commands_are_what_ci_runs():
    install, test = (s.code.strip() for s in snippets("README.md", "bash")[:2])
    assert install.startswith("pip install . && kornia-srgan upscale docs/images/")
    ci = (ROOT / ".ci/run").read_text("utf-8").replace("--quiet --disable-pip-version-check ", "")
    for part in test.split(" && "):
        assert f"\n{part}" in ci
