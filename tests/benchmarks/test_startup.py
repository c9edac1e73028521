"""The start-up benchmark runs what it names and writes the schema."""

import json

import pytest

from benchmarks import startup


def test_measures_each_in_its_own_process(tmp_path, capsys):
    path = tmp_path / "x.json"
    startup.main(["--repeats", "1", "--json", str(path)])
    written = json.loads(path.read_text())
    assert written["benchmark"] == "startup"
    assert {r["name"] for r in written["results"]} == {"python -c pass", *startup.LIMITS}
    assert all(r["unit"] == "s" and r["median"] > 0 for r in written["results"])
    assert "kornia-srgan --help" in capsys.readouterr().out


def test_a_process_that_fails_is_no_measurement():
    with pytest.raises(SystemExit, match="failed"):
        startup.seconds_of_process(["-c", "raise SystemExit(1)"])
