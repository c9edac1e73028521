"""The process that works for a crew, in this process."""

import pickle
import threading
from multiprocessing.connection import Pipe

import pytest

from kornia_srgan.batch.worker import do_tasks


@pytest.mark.parametrize("hangs_up", [False, True])
def test_a_worker_ends_when_there_is_nothing_left_and_when_its_crew_hangs_up(hangs_up):
    crew, own = Pipe()
    worker = threading.Thread(target=do_tasks, args=(own,), daemon=True)
    worker.start()
    crew.send((1, pickle.dumps(callable)))
    assert pickle.loads(crew.recv_bytes()) == (1, "done", False)  # so it waits for the next task
    if hangs_up:
        crew.close()
    else:
        crew.send(None)
    worker.join(30)
    assert not worker.is_alive()
