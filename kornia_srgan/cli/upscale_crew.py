"""`--num-processes`: the processes of one command."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kornia_srgan.batch.crew import Crew


@contextmanager
def crew_of(
    count: int | None, threads: int | None, device: str, plugins: list[str], *, launched: bool, quiet: bool
) -> Iterator[Crew | None]:
    """The processes that share the work; None where this one does it.

    Args:
        count: How many, as typed.
        threads: Of each process, as typed.
        device: As typed; where it names none of several GPUs, each process takes its own.
        plugins: As typed.
        launched: Whether a launcher started others, which wait for this one.
        quiet: Nothing is printed.
    """
    from kornia_srgan.batch.crew import Start, started

    own_devices = device in ("auto", "cuda")
    if launched:
        from kornia_srgan.batch.launcher import announce, this_launch

        launch = this_launch()
        if launch is not None:
            start = Start(
                1,
                launch.count - 1,
                threads=threads or launch.threads,
                plugins=tuple(plugins),
                own_devices=own_devices,
                quiet=quiet,
                host=launch.host,
            )
            with started(start, announce, launch.local_rank) as crew:
                yield crew
            return
    if count is None or count == 1:
        yield None
        return
    start = Start(count, threads=threads, plugins=tuple(plugins), own_devices=own_devices, quiet=quiet)
    with started(start) as crew:
        yield crew
