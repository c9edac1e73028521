"""The benchmark of the whole command counts what it says, and its parts sum to the whole."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from benchmarks import upscale_folder
from benchmarks.upscale_folder import FIELDS, main, make_photos
from benchmarks.upscale_memory import generator_file


def test_measures_the_command(tmp_path, capsys):
    weights, path = tmp_path / "edsr.safetensors", tmp_path / "results" / "x.json"
    generator_file(weights, channels=4, blocks=1)
    main(
        ["--count", "3", "--size", "20", "14", "--weights", str(weights), "--jobs", "2", "--json", str(path)]
    )
    written = json.loads(path.read_text())
    assert written["benchmark"] == "upscale_folder"
    assert written["settings"]["photos"] == "smooth noise"
    assert {r["name"] for r in written["results"]} == {
        *(f"to png, --jobs 2: {field}" for field in FIELDS),
        "network alone",
    }
    (case,) = written["cases"]
    assert case["network"] + case["startup"] + case["rest"] == pytest.approx(case["total"])
    assert all(case[field] > 0 for field in FIELDS)
    assert case["share"] == pytest.approx(case["network"] / case["total"])
    assert case["share"] < case["share_after_startup"] <= 1
    assert "of all" in capsys.readouterr().out


@pytest.fixture
def child_here(monkeypatch):
    """`child` runs in this process; what it replaces is put back."""
    from kornia_srgan.inference import compute, upscaler

    for module, name in ((compute, "compute_pieces"), (upscaler, "compute_strips")):
        monkeypatch.setattr(module, name, getattr(module, name))


def test_counts_every_forward_once(tmp_path, monkeypatch, capsys, child_here):
    photos, out = tmp_path / "in", tmp_path / "out"
    photos.mkdir()
    make_photos(photos, None, 2, 9, 7)
    weights = tmp_path / "edsr.safetensors"
    generator_file(weights, channels=4, blocks=1)
    now = iter(range(1000))
    monkeypatch.setattr(upscale_folder, "time", SimpleNamespace(time=lambda: float(next(now))))
    upscale_folder.child([str(photos), "-o", str(out), "--weights", str(weights), "--device", "cpu", "-q"])
    inside = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert inside["network"] == 4  # a strip and the end of each; both read the clock twice, a second apart
    assert len(list(out.glob("*.png"))) == 2


def test_the_start_ends_with_the_first_forward(monkeypatch):
    now = iter([100.0, 110.0])
    said = SimpleNamespace(returncode=0, stdout='done\n{"network": 3.0, "first": 102.0}\n')
    monkeypatch.setattr(upscale_folder, "time", SimpleNamespace(time=lambda: next(now)))
    monkeypatch.setattr(upscale_folder, "subprocess", SimpleNamespace(run=lambda *a, **k: said))
    assert upscale_folder.timed_command([]) == {"total": 10.0, "network": 3.0, "startup": 2.0, "rest": 5.0}


def test_a_failed_command_is_no_measurement(tmp_path, monkeypatch, child_here):
    with pytest.raises(SystemExit) as ended:
        upscale_folder.child([str(tmp_path / "nothing"), "-o", str(tmp_path)])
    assert ended.value.code == 2
    failed = SimpleNamespace(returncode=2, stdout="", stderr="error: nothing: there is no such file")
    monkeypatch.setattr(upscale_folder, "subprocess", SimpleNamespace(run=lambda *a, **k: failed))
    with pytest.raises(SystemExit, match="failed"):
        upscale_folder.timed_command([])


def test_photos_come_from_a_folder(tmp_path):
    source, target = tmp_path / "a", tmp_path / "b"
    source.mkdir()
    target.mkdir()
    for i, colour in enumerate(("red", "blue")):
        Image.new("RGB", (30, 30), colour).save(source / f"{i}.png")
    make_photos(target, source, 3, 8, 6)
    found: list[Path] = sorted(target.iterdir())
    assert len(found) == 3
    with Image.open(found[1]) as second, Image.open(found[2]) as third:
        assert second.size == (8, 6)
        assert second.getpixel((4, 3))[2] > 200
        assert third.getpixel((4, 3))[0] > 200
