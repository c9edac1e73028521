"""Crews whose members are threads of this process, so that tests need not wait for new ones."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import Pipe

from kornia_srgan.batch.crew import Crew, Member
from kornia_srgan.batch.worker import do_tasks


@contextmanager
def crew_of_threads(count, *shared) -> Iterator[Crew]:
    """A crew; what its tasks share is unpickled once before: threads must not load networks at once."""
    for one in shared:
        pickle.loads(pickle.dumps(one))
    ends = [Pipe() for _ in range(count)]
    threads = [threading.Thread(target=do_tasks, args=(end,), daemon=True) for _, end in ends]
    for thread in threads:
        thread.start()
    crew = Crew([Member(end) for end, _ in ends])
    try:
        yield crew
    finally:
        crew.close(stop=False)
        for thread in threads:
            thread.join(20)
