"""The notebooks run from an empty folder, and what is kept of them for the pages is a clean run."""

import json

import pytest

from kornia_srgan.weights.locate import zoo_names
from tests.helpers.scripts import load_script
from tests.helpers.snippets import ROOT

nbformat = pytest.importorskip("nbformat", reason="notebooks need the extra 'notebooks'")
pytest.importorskip("nbclient", reason="notebooks need the extra 'notebooks'")

NOTEBOOKS = sorted((ROOT / "docs/notebooks").glob("*.ipynb"))
PICTURES = {"train": 6, "upscale": 3}
FILES = {
    "train": ("runs/my-net/generator.safetensors", "runs/my-net/losses.png"),
    "upscale": ("large/coffee_x4.png",),
}


def run_notebook(path, folder):
    return load_script(ROOT / "docs/run_notebooks.py").run_notebook(path, folder)


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def pictures(notebook):
    return [o for o in outputs(notebook) if {"image/jpeg", "image/png"} & set(o.get("data", {}))]


def printed(notebook):
    return "".join(o.text for o in outputs(notebook) if o.output_type == "stream")


def test_both_are_there():
    assert {path.stem for path in NOTEBOOKS} == set(PICTURES)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_offline_from_an_empty_folder(path, tmp_path, monkeypatch):
    if not zoo_names():
        pytest.skip("the packaged weights are not in this tree")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    done = run_notebook(path, tmp_path)
    assert len(pictures(done)) == PICTURES[path.stem]
    assert not [o for o in outputs(done) if o.output_type == "error"]
    for name in FILES[path.stem]:
        assert (tmp_path / name).stat().st_size > 1000
    assert "Warning" not in printed(done)


def test_training_shows_its_progress_and_gains():
    notebook = nbformat.read(ROOT / "docs/notebooks/train.ipynb", as_version=4)
    text = printed(notebook)
    assert "stage pixels done" in text
    assert "stage gan done" in text
    rows = {line.split("|")[1].strip(): line.split("|")[3] for line in text.splitlines() if line[:1] == "|"}
    assert float(rows["pixels"].split("/")[0]) > float(rows["bicubic"].split("/")[0]) + 0.5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_is_a_whole_clean_run(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert len(pictures(notebook)) == PICTURES[path.stem]
    assert not [o for o in outputs(notebook) if o.output_type == "error"]
    assert path.stat().st_size < 400_000
    assert str(ROOT) not in json.dumps(notebook), "outputs name a folder of somebody's machine"
