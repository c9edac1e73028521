"""What our pages print is run as printed: Python blocks in one session a page, commands one by one."""

import re
import shlex
import shutil

import pytest
from PIL import Image

from kornia_srgan.cli.app import run_command_line
from kornia_srgan.registry.catalog import GENERATORS
from kornia_srgan.weights.locate import zoo_names
from tests.helpers.snippets import ROOT, run_python, snippets

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
# Training takes too long here; these are checked up to the first step. Notebooks and launch tests train.
TRAININGS = [
    pytest.param(command, id=f"{snippet.file}:{snippet.line}:{number}")
    for page in PAGES
    for snippet in snippets(page, "bash")
    if snippet.not_run and "# error:" not in snippet.code
    for number, command in enumerate(snippet.code.replace("\\\n", " ").splitlines())
    if re.search(r"kornia-srgan train |-m kornia_srgan\.train ", command)
]


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader's working folder with our photographs in it, half as large; needs the packaged weights."""
    if not zoo_names():
        pytest.skip("the packaged weights are not in this tree")
    for name in ("chelsea_lr.png", "coffee_lr.png", "hr/chelsea.png"):
        path = tmp_path / "docs/images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.open(ROOT / "docs/images" / name).reduce(2).save(path)
    shutil.copytree(tmp_path / "docs/images/hr", tmp_path / "benchmarks/Set5")
    shutil.copytree(tmp_path / "docs/images/hr", tmp_path / "photos")
    (code,) = (s.code for s in snippets("README.md", "python") if "@GENERATORS.register" in s.code)
    (tmp_path / "my_backbone.py").write_text(code)
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
    assert run_command_line([str(a) for a in arguments]) == 0


@pytest.mark.parametrize("line", TRAININGS)
def test_training_commands_are_right_up_to_the_first_step(line, reader, monkeypatch):
    started = []
    monkeypatch.setattr(
        "kornia_srgan.training.run.train", lambda config, output, **_: started.append(config) or True
    )
    monkeypatch.setattr(
        "kornia_srgan.training.plan.describe_run", lambda config: started.append(config) or ""
    )
    words = shlex.split(re.split(r"kornia-srgan train|-m kornia_srgan\.train", line)[1], comments=True)
    with GENERATORS.temporary():
        assert run_command_line(["train", *words]) == 0
    assert started


def test_the_backbone_of_the_readme_trains_as_a_plug_in(reader):
    (line,) = (s.code for s in snippets("README.md", "bash") if "my_backbone.py" in s.code)
    fewer = "--set stages.0.steps=2 --set stages.1.steps=1 --set train.batch_size=2"
    with GENERATORS.temporary():
        assert run_command_line(shlex.split(f"{line} {fewer}")[1:]) == 0
        weights = ["--weights", "runs/tiny/generator.safetensors"]
        assert run_command_line(["upscale", "docs/images/chelsea_lr.png", "-o", "x.png", *weights]) == 0


def test_links_of_the_readme_lead_somewhere():
    for page in ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"]:
        for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8")):
            assert target.startswith("http") or (ROOT / target).exists(), f"{page}: {target}"


def test_the_two_commands_are_what_ci_runs():
    install, test = (s.code.strip() for s in snippets("README.md", "bash")[:2])
    assert install.startswith("pip install . && kornia-srgan upscale docs/images/")
    ci = (ROOT / ".ci/run").read_text("utf-8").replace("--quiet --disable-pip-version-check ", "")
    for part in test.split(" && "):
        assert f"\n{part}" in ci
