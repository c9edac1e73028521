"""What a launcher was asked for. Real launches: tests/cli/test_upscale_processes.py."""

from types import SimpleNamespace

import psutil
import pytest

from kornia_srgan.batch.launcher import processes_asked_for
from kornia_srgan.errors import UserError

CPU = {"ACCELERATE_USE_CPU": "True", "MASTER_ADDR": "127.0.0.1"}  # as Accelerate sets them
TO_RUN = ["-m", "kornia_srgan.upscale", "in", "-o", "out", "--num_processes", "9"]


@pytest.fixture
def started_by(monkeypatch):
    def set_line(*words):
        parent = SimpleNamespace(cmdline=lambda: list(words))
        monkeypatch.setattr(psutil, "Process", lambda: SimpleNamespace(parent=lambda: parent))

    return set_line


@pytest.mark.parametrize(
    "launch",
    [["/bin/python", "/bin/accelerate", "launch"], ["/bin/python", "-m", "accelerate.commands.launch"]],
)
@pytest.mark.parametrize("option", [["--num_processes", "3"], ["--num-processes=3"]])
def test_accelerate_on_the_cpu(started_by, launch, option):
    started_by(*launch, "--cpu", *option, *TO_RUN)
    assert processes_asked_for(CPU) == 3


@pytest.mark.parametrize("environ", [{}, {"ACCELERATE_USE_CPU": "True"}, {"MASTER_ADDR": "127.0.0.1"}])
def test_one_process_elsewhere(started_by, environ):
    started_by("accelerate", "launch", "--num_processes", "3", *TO_RUN)
    assert processes_asked_for(environ) == 1


def test_a_number_that_cannot_be_found_is_no_silent_one(started_by):
    started_by("mpirun", "python", *TO_RUN)
    with pytest.raises(UserError, match="starts one process only; leave it out and give --num-processes"):
        processes_asked_for(CPU)


def test_several_machines_are_told_to_share(started_by):
    started_by("accelerate", "launch", "--cpu", "--num_machines", "2", "--num_processes", "2", *TO_RUN)
    with pytest.raises(UserError, match="--share auto on every machine"):
        processes_asked_for(CPU)
