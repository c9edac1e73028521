"""What is written is what the schema says, and stays readable."""

import json

import pytest
from pydantic import ValidationError

from kornia_srgan.benchmarking.machine import machine_facts
from kornia_srgan.benchmarking.schema import Document, ForwardDocument, read_forward, write_json
from kornia_srgan.errors import UserError
from tests.helpers.documents import made_up
from tests.helpers.snippets import ROOT

RESULTS = sorted((ROOT / "benchmarks/results").glob("*.json"))


def test_there_are_results():
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda p: p.name)
def test_published_results_keep_the_schema(path):
    content = json.loads(path.read_text())
    Document.model_validate(content)
    if content["benchmark"] == "generator_forward":
        read_forward(path)


def test_written_and_read(tmp_path):
    document = made_up({"kornia_srgan": [1.0, 2.0], "eager": "no"})
    path = tmp_path / "new" / "x.json"
    write_json(path, document.model_dump(mode="json", by_alias=True))
    assert read_forward(path) == document
    assert json.loads(path.read_text())["schema"] == 1
    assert [p.name for p in path.parent.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.update(schema=2),
        lambda d: d.update(benchmark="other"),
        lambda d: d.update(more=1),
        lambda d: d["machine"].pop("cpu"),
        lambda d: d["results"].append(d["results"][0]),
        lambda d: d["results"][0].update(median=0.0),
        lambda d: d["results"][0].update(q1=float("nan")),
        lambda d: d["cases"][0].update(dtype="float64"),
        lambda d: d["cases"][0]["runs"][0].update(result="elsewhere"),
        lambda d: d["cases"][0]["runs"][0].update(result=None),
        lambda d: d["cases"][0]["runs"][0].update(status="failed"),
        lambda d: d["cases"][0]["runs"][1].update(error=""),
    ],
)
def test_anything_else_is_refused(damage):
    content = made_up({"kornia_srgan": [1.0, 2.0], "eager": "no"}).model_dump(mode="json", by_alias=True)
    ForwardDocument.model_validate(content)
    damage(content)
    with pytest.raises(ValidationError):
        ForwardDocument.model_validate(content)


def test_a_file_of_something_else_is_one_line(tmp_path):
    path = tmp_path / "x.json"
    with pytest.raises(UserError, match="No such file"):
        read_forward(path)
    path.write_text('{"schema": 1}')
    with pytest.raises(UserError, match="is not a file of `kornia-srgan benchmark --json`"):
        read_forward(path)


def test_the_machine():
    import torch

    found = machine_facts()
    assert found["threads"] == torch.get_num_threads()
    assert found["torch"] == torch.__version__
    assert found["device"] == "cpu"
