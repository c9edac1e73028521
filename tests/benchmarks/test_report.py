"""What a user got wrong is said in one line, with exit code 2, by every benchmark."""

import runpy
import sys

import pytest


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("data_pipeline", "--data /nowhere", "error: data folder '/nowhere' does not exist"),
        ("data_pipeline", "--data . --repeats 0", "argument --repeats: 0 is less than 1"),
        ("degradation", "--device nonsense", "argument --device: device 'nonsense' is not known"),
        ("startup", "--repeats x", "argument --repeats: invalid whole number value: 'x'"),
        ("training_step", "--device meta", "argument --device: device 'meta' cannot be used here"),
        ("training_step", "--crop 20", "--crop 20 is not a multiple of 16"),
        ("upscale_folder", "--photos /nowhere", "error: data folder '/nowhere' does not exist"),
        ("upscale_memory", "--blocks -1", "argument --blocks: -1 is less than 1"),
    ],
)
def test_bad_input(name, options, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [name, *options.split()])
    monkeypatch.delitem(sys.modules, f"benchmarks.{name}", raising=False)
    with pytest.raises(SystemExit) as stopped:
        runpy.run_module(f"benchmarks.{name}", run_name="__main__")
    assert stopped.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert message in last
