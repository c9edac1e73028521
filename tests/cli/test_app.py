import os
import subprocess
import sys

import pytest
import typer

from kornia_srgan import __version__
from kornia_srgan.cli import app as app_module
from kornia_srgan.cli.errors import exit_code_of
from kornia_srgan.errors import DataError, TrainingError
from kornia_srgan.explain import explain
from tests.helpers.runner import assert_user_error, invoke

HEAVY = ("torch", "timm", "kornia", "accelerate", "torchvision", "numpy", "PIL")


def commands():
    return app_module.LazyGroup(name="x").list_commands(None)


def python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_help_and_list_import_nothing_heavy():
    """One process for all of them: the first that imports something is named."""
    asked = [["--help"], ["list"], *([c, "--help"] for c in commands())]
    done = python(
        "import sys\n"
        "from kornia_srgan.cli.app import run_command_line\n"
        f"for arguments in {asked!r}:\n"
        "    code = run_command_line(arguments)\n"
        f"    heavy = [m for m in {HEAVY!r} if m in sys.modules]\n"
        "    if code or heavy:\n"
        "        sys.exit(f'{arguments}: exit code {code}, imports {heavy}')\n"
    )
    assert done.returncode == 0, done.stderr
    assert all(f" {command} " in done.stdout for command in commands())


def test_importing_the_package_imports_nothing_heavy():
    done = python(
        f"import sys, kornia_srgan; print([m for m in {HEAVY!r} + ('rich', 'typer') if m in sys.modules])"
    )
    assert done.stdout.strip() == "[]"


def test_help_shows_every_command(capsys):
    shown = invoke(capsys, "--help")
    assert shown.code == 0
    for name in commands():
        assert f"\n  {name} " in shown.out
    assert {"train", "upscale", "evaluate", "prepare", "list", "describe"} <= set(commands())


def test_no_arguments_is_help(capsys):
    assert "Commands:" in invoke(capsys).out


def test_version(capsys):
    assert invoke(capsys, "--version").out == f"kornia-srgan {__version__}\n"


def test_python_m_is_the_same_command():
    done = subprocess.run(
        [sys.executable, "-m", "kornia_srgan", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"kornia-srgan {__version__}\n"


def test_unknown_command_and_option_are_one_line(capsys):
    assert_user_error(
        invoke(capsys, "lisst"), "No such command 'lisst'; did you mean 'list'? See: kornia-srgan --help"
    )
    assert_user_error(invoke(capsys, "list", "--kind"), "--kind", "kornia-srgan list --help")
    assert_user_error(invoke(capsys, "describe", "generator"), "needs a name", "edsr")
    assert_user_error(invoke(capsys, "upscale", "-o", "x"), "Missing argument")


def fail_with(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (DataError("no images in [x]"), 2, "error: no images in [x]\n"),
        (TrainingError("loss is\n not finite"), 1, "error: loss is not finite\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (typer.Abort(), 130, "interrupted\n"),
        (PermissionError(13, "Permission denied", "/out"), 2, "error: Permission denied: /out\n"),
        (MemoryError(), 2, "--tile"),
        (KeyError("x"), 1, "error: KeyError: 'x' (this is a bug in kornia-srgan; add --debug"),
    ],
)
def test_exceptions_become_a_line_and_a_code(capsys, error, code, words):
    assert exit_code_of(fail_with(error)) == code
    captured = capsys.readouterr()
    assert words in captured.err
    assert captured.err.count("\n") == 1
    assert captured.out == ""


def test_cuda_out_of_memory_is_told_by_its_name():
    line, code = explain(type("OutOfMemoryError", (RuntimeError,), {})("CUDA out of memory"))
    assert code == 2
    assert "smaller tiles" in line


@pytest.mark.parametrize("where", [0, 2])
def test_debug_shows_the_traceback_wherever_it_stands(capsys, where):
    arguments = ["list", "nothing"]
    arguments.insert(where, "--debug")
    shown = invoke(capsys, *arguments)
    assert shown.code == 2
    assert "Traceback" in shown.err
    assert "Traceback" not in invoke(capsys, "list", "nothing").err


def test_a_closed_pipe_is_quiet():
    """What `kornia-srgan list | head -0` does."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "kornia_srgan", "list"], stdout=write, stderr=subprocess.PIPE, check=False
        )
    finally:
        os.close(write)
    assert done.stderr == b""
    assert done.returncode == 1


def test_home_is_where_the_shell_left_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert app_module.at_home("~/x") == f"{tmp_path}/x"
    assert app_module.at_home("--output=~/x") == f"--output={tmp_path}/x"
    assert app_module.at_home("~tilde.jpg") == "~tilde.jpg"
    assert app_module.at_home("--name={stem}~") == "--name={stem}~"
    (tmp_path / "~").mkdir()
    assert app_module.at_home("~") == "~"
