"""The processes of `torchrun`, `accelerate launch` and `mpirun`: who they are, and how they meet."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePath
from typing import Any

from kornia_srgan.errors import UserError
from kornia_srgan.explain import one_line

_KEY = "kornia_srgan/crew"
# As Accelerate reads them: of torchrun, of MPICH and Intel MPI, of Open MPI, of MVAPICH.
_RANK = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
_COUNT = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_LOCAL_RANK = ("LOCAL_RANK", "MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK")
_LOCAL_COUNT = (
    "LOCAL_WORLD_SIZE",
    "MPI_LOCALNRANKS",
    "OMPI_COMM_WORLD_LOCAL_SIZE",
    "MV2_COMM_WORLD_LOCAL_SIZE",
)
_PORT = "29500"  # torch's own, where the launcher names none
_PATIENCE = 3600.0  # seconds for the first process to say where it is: it looks at all files before


@dataclass(frozen=True)
class Launch:
    """One process of a launcher.

    Attributes:
        rank: From 0, among all.
        count: How many there are.
        local_rank: From 0, on this machine.
        host: Where the first one is reached.
        threads: As the launcher set them; None if it did not.
    """

    rank: int
    count: int
    local_rank: int
    host: str
    threads: int | None


def this_launch(environ: Mapping[str, str] = os.environ) -> Launch | None:
    """The launch that this process is part of; None if there is none, or it is the only one.

    Raises:
        UserError: If there are several machines and nothing says where the first one is.
    """
    count = _number(environ, _COUNT, 1)
    if count == 1:
        return None
    alone = _number(environ, _LOCAL_COUNT, count) == count
    if not alone and "MASTER_ADDR" not in environ:
        raise UserError(
            "processes on several machines cannot find each other; set MASTER_ADDR to the address of the "
            "first machine, or run the command with --share auto on every machine",
            where="MASTER_ADDR",
        )
    threads = environ.get("OMP_NUM_THREADS", "")
    return Launch(
        _number(environ, _RANK, 0),
        count,
        _number(environ, _LOCAL_RANK, 0),
        "127.0.0.1" if alone else environ["MASTER_ADDR"],
        int(threads) if threads.isdigit() else None,
    )


def _number(environ: Mapping[str, str], names: Sequence[str], otherwise: int) -> int:
    return next((int(environ[name]) for name in names if environ.get(name, "").isdigit()), otherwise)


def check_not_launched(environ: Mapping[str, str] = os.environ) -> None:
    """For a command that does not share its work: refuse to do all of it several times over.

    Raises:
        UserError: If a launcher started several processes.
    """
    count = _number(environ, _COUNT, 1)
    if count > 1:
        raise UserError(
            f"a launcher started {count} processes, and each would do all the work; let it start "
            f"`python -m kornia_srgan.upscale`, or give --num-processes {count} without a launcher",
            where="upscale",
        )


def processes_asked_for(environ: Mapping[str, str] = os.environ) -> int:
    """How many processes `accelerate launch --cpu --num_processes N` was asked for; 1 without it.

    It starts a single one, whatever N is. Only its own command line tells N.

    Raises:
        UserError: If N cannot be found, or several machines were asked for.
    """
    several = "MASTER_ADDR" in environ  # Accelerate sets it for more than one process or machine
    if not several or environ.get("ACCELERATE_USE_CPU", "").lower() not in ("1", "true"):
        return 1
    import psutil
    from accelerate.commands.launch import launch_command_parser

    parent = psutil.Process().parent()
    words = _behind_launch(parent.cmdline() if parent else [])
    asked = launch_command_parser().parse_args(words) if words else None
    if asked is None or asked.num_processes is None:
        raise UserError(
            "accelerate launch --cpu starts one process only; leave it out and give --num-processes to the "
            "command 'upscale'",
            where="--num_processes",
        )
    if (asked.num_machines or 1) > 1:
        raise UserError(
            "accelerate launch --cpu starts one process on each machine, and none knows of the others; "
            "run the command with --share auto on every machine",
            where="--num_machines",
        )
    return asked.num_processes


def _behind_launch(line: Sequence[str]) -> list[str]:
    """The arguments of `accelerate launch` in a command line."""
    names = ("launch", "launch.py", "accelerate-launch", "accelerate.commands.launch")
    return next((list(line[n + 1 :]) for n, word in enumerate(line) if PurePath(word).name in names), [])


def announce(address: Any, key: bytes, *, own_devices: bool = True) -> None:
    """For the first process: tell the others where the crew is, and whether each takes a GPU of its own."""
    _store().set(_KEY, json.dumps([address, key.hex(), own_devices]))


def dismiss() -> None:
    """For the first process, at its end: if there was no crew, the others need not wait for one."""
    if not _store().check([_KEY]):
        _store().set(_KEY, "")


def follow() -> None:
    """For the other processes: join the crew of the first, until all is done."""
    from datetime import timedelta

    from kornia_srgan.batch.muster import own_device
    from kornia_srgan.batch.worker import join_crew

    launch = this_launch()
    store = _store()
    store.wait([_KEY], timedelta(seconds=_PATIENCE))
    text = store.get(_KEY).decode()
    if not text or launch is None:
        return
    address, key, own_devices = json.loads(text)
    os.environ.update(own_device(launch.local_rank) if own_devices else {})
    join_crew(address, bytes.fromhex(key))


@lru_cache(maxsize=1)
def _store() -> Any:
    """The launcher's own place for what its processes tell each other; for `mpirun`, one on a port.

    Raises:
        UserError: If they cannot meet at that port.
    """
    import torch.distributed

    launch = this_launch()
    if launch is not None:  # torch reads these, and mpirun does not set them
        for name, value in (
            ("RANK", launch.rank),
            ("WORLD_SIZE", launch.count),
            ("MASTER_ADDR", launch.host),
        ):
            os.environ.setdefault(name, str(value))
    port = os.environ.setdefault("MASTER_PORT", _PORT)
    try:
        store, _, _ = next(torch.distributed.rendezvous("env://"))
    except torch.distributed.DistNetworkError as error:
        raise UserError(
            f"the processes cannot meet at port {port} ({one_line(error, 120)}); "
            "set MASTER_PORT to a free one",
            where="MASTER_PORT",
        ) from error
    return store
