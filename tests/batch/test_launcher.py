"""What a launcher was asked for. Real launches: tests/cli/test_upscale_processes.py."""

from types import SimpleNamespace

import psutil
import pytest

from kornia_srgan.batch.launcher import Launch, check_not_launched, processes_asked_for, this_launch
from kornia_srgan.errors import UserError
from tests.helpers.runner import assert_user_error, invoke

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


@pytest.mark.parametrize(
    "environ",
    [
        {"WORLD_SIZE": "3", "RANK": "2", "LOCAL_WORLD_SIZE": "3", "LOCAL_RANK": "2"},
        {"PMI_SIZE": "3", "PMI_RANK": "2", "MPI_LOCALNRANKS": "3", "MPI_LOCALRANKID": "2"},
        {
            "OMPI_COMM_WORLD_SIZE": "3",
            "OMPI_COMM_WORLD_RANK": "2",
            "OMPI_COMM_WORLD_LOCAL_SIZE": "3",
            "OMPI_COMM_WORLD_LOCAL_RANK": "2",
        },
    ],
)
def test_every_launcher_is_known(environ):
    assert this_launch(environ) == Launch(2, 3, 2, "127.0.0.1", None)
    with pytest.raises(UserError, match="a launcher started 3 processes, and each would do all the work"):
        check_not_launched(environ)


@pytest.mark.parametrize(
    "environ", [{}, {"WORLD_SIZE": "1"}, {"OMPI_COMM_WORLD_SIZE": "1"}, {"PMI_RANK": "1"}]
)
def test_a_single_process_is_no_launch(environ):
    assert this_launch(environ) is None
    check_not_launched(environ)


def test_machines_that_cannot_find_each_other_are_told():
    environ = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_LOCAL_SIZE": "2"}
    with pytest.raises(UserError, match="set MASTER_ADDR"):
        this_launch(environ)
    launch = this_launch({**environ, "MASTER_ADDR": "10.0.0.1"})
    assert launch is not None
    assert launch.host == "10.0.0.1"


def test_the_command_does_not_do_all_the_work_in_every_process(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    out = tmp_path / "out"
    assert_user_error(invoke(capsys, "upscale", "in.png", "-o", out), "python -m kornia_srgan.upscale")
    shared = invoke(capsys, "upscale", "in.png", "-o", out, "--share", "1/2")
    assert "a launcher" not in shared.err
