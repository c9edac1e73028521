"""The degradation benchmark runs and its CPU side makes images of the right size."""

import json

import numpy as np

from benchmarks.degradation import degrade_one, main


def test_measures_both_sides_and_every_stage(tmp_path, capsys):
    path = tmp_path / "x.json"
    main(f"--device cpu --crop 32 --batch 2 --seconds 0.01 --repeats 2 --json {path}".split())
    names = [r["name"] for r in json.loads(path.read_text())["results"]]
    assert names[:2] == ["image by image on the CPU", "batch on the device"]
    assert len(names) == 10
    assert "images/s" in capsys.readouterr().out


def test_the_cpu_side_degrades():
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    made = degrade_one(image, 16, np.random.default_rng(1))
    assert made.shape == (16, 16, 3)
    assert made.dtype == np.uint8
