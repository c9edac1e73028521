"""The end of a process: exit functions run, output is whole, the code is the command's."""

import subprocess
import sys

import pytest

PROGRAM = """
import atexit, sys, threading, time
from kornia_srgan.cli.leaving import QuickExit

class Late:
    def __del__(self):
        print("taken apart", flush=True)

late = Late()
late.itself = late
leaving = QuickExit()
atexit.register(print, "exit function")
threading.Thread(target=lambda: (time.sleep(0.3), print("thread"))).start()
leaving.code = {code}
print("x" * 100_000)
sys.exit(leaving.code)
"""


def run(code):
    made = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code=code)], check=False, capture_output=True, text=True
    )
    return made.returncode, made.stdout.splitlines(), made.stderr


@pytest.mark.parametrize("code", [0, 1, 2])
def test_threads_and_exit_functions_come_first(code):
    assert run(code) == (code, ["x" * 100_000, "thread", "exit function"], "")


def test_without_a_code_it_ends_as_ever():
    assert run(None)[1][-1] == "taken apart"


def test_a_closed_pipe_is_told_by_python():
    line = f"{sys.executable} -c '{PROGRAM.format(code=0)}' | true"
    made = subprocess.run(["bash", "-c", line], check=False, capture_output=True, text=True)
    assert "BrokenPipeError" in made.stderr
