"""Running the command line in this process, as `main` runs it."""

from dataclasses import dataclass

from kornia_srgan.cli.app import run_command_line


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


def invoke(capsys, *arguments):
    """Exit code, stdout and stderr of a command line."""
    capsys.readouterr()
    code = run_command_line([str(a) for a in arguments])
    captured = capsys.readouterr()
    return Result(code, captured.out, captured.err)


def assert_user_error(result, *words):
    """One plain line on stderr that holds the words, exit code 2, nothing on stdout."""
    assert result.code == 2
    assert result.out == ""
    assert result.err.startswith("error: ")
    assert result.err.count("\n") == 1
    for word in words:
        assert word in result.err
