"""The data pipeline benchmark runs, checks its own crops, and writes what it says."""

import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.data_pipeline import PlainDataset, main
from benchmarks.report import Result, measure_in_turns
from kornia_srgan.errors import DataError


@pytest.fixture
def photos(tmp_path):
    for i in range(3):
        pixels = np.random.default_rng(i).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    return tmp_path


def test_measures_every_mode_and_the_training_step(photos, tmp_path, capsys):
    path = tmp_path / "results" / "x.json"
    options = (
        "--device cpu --crop 16 --batch 2 --workers 1 --seconds 0.01 --repeats 2 --train --train-steps 1"
    )
    main(["--data", str(photos), "--json", str(path), "--generator", "edsr", *options.split()])
    written = json.loads(path.read_text())
    assert written["benchmark"] == "data_pipeline"
    assert {"cpu", "cores", "torch", "revision"} <= set(written["machine"])
    names = {r["name"] for r in written["results"]}
    assert {"plain loop, no workers", "none, 1 workers", "ram", "device", "step, constant batch"} <= names
    for r in written["results"]:
        assert 0 < r["q1"] <= r["median"] <= r["q3"]
        assert len(r["values"]) == 2
    assert "x the plain loop" in capsys.readouterr().out


def test_loops_that_give_other_crops_are_not_timed(photos, monkeypatch):
    plain = PlainDataset.__getitem__
    monkeypatch.setattr(PlainDataset, "__getitem__", lambda self, k: plain(self, k) // 2)
    with pytest.raises(SystemExit, match="'none, no workers' gives other crops than the plain loop"):
        main(["--data", str(photos), *["--device", "cpu", "--crop", "16", "--batch", "2", "--workers", "0"]])


def test_a_crop_larger_than_an_image_is_said(photos):
    with pytest.raises(DataError, match=r"--crop 41: an image of .* is smaller"):
        main(["--data", str(photos), "--device", "cpu", "--crop", "41"])


def test_median_and_quartiles():
    result = Result.of("x", "ms", [4.0, 1.0, 3.0, 2.0, 5.0])
    assert (result.q1, result.median, result.q3) == (2.0, 3.0, 4.0)
    assert Result.of("x", "ms", [7.0]).median == 7.0


def test_rounds_measure_each_case_once_in_changing_order():
    called = []
    cases = {n: lambda n=n: called.append(n) or 1.0 for n in "abc"}
    values = measure_in_turns(cases, repeats=8)
    assert {n: len(v) for n, v in values.items()} == {"a": 8, "b": 8, "c": 8}
    rounds = {tuple(called[i : i + 3]) for i in range(0, 24, 3)}
    assert all(sorted(r) == ["a", "b", "c"] for r in rounds)
    assert len(rounds) > 1
