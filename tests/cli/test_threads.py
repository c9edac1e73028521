"""`--threads` of every command that computes."""

import pytest

from tests.helpers.runner import invoke

# Each ends before any work: at a file, a folder or a recipe that is not there.
COMMANDS = {
    "upscale": ("nowhere.png", "-o", "out"),
    "evaluate": ("--plugin", "nowhere.py"),
    "train": ("no-such-recipe",),
    "benchmark": ("--plugin", "nowhere.py"),
    "demo": ("--plugin", "nowhere.py"),
    "serve": ("--plugin", "nowhere.py"),
    "prepare": ("nowhere", "-o", "out"),
    "data": ("nowhere",),
    "convert": ("nowhere.pth", "-o", "out.safetensors"),
    "export": ("nowhere.safetensors", "-o", "out.onnx"),
    "blend": ("nowhere.safetensors", "nowhere.safetensors", "-o", "out.safetensors"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_number_of_threads_is_set_before_the_command_runs(command, monkeypatch, tmp_path, capsys):
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("kornia_srgan.processor.set_threads", asked.append)
    result = invoke(capsys, command, *COMMANDS[command], "--threads", "3")
    assert result.code == 2
    assert asked == [3]


@pytest.mark.parametrize("command", COMMANDS)
def test_none_is_refused(command, capsys):
    result = invoke(capsys, command, *COMMANDS[command], "--threads", "0")
    assert result.code == 2
    assert "--threads" in result.err
