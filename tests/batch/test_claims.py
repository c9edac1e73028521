"""Of all who want a result, one makes it."""

import json
import os
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from kornia_srgan.batch.claims import claimed
from kornia_srgan.errors import ImageError


def leave(path, *, host=None, process=None, age=0.0):
    """A claim that its owner did not take away."""
    path.write_text(json.dumps({"host": host or socket.gethostname(), "process": process or os.getpid()}))
    then = time.time() - age
    os.utime(path, (then, then))


def test_one_has_it_and_the_others_learn_who(tmp_path):
    target = tmp_path / "below" / "a.png"
    with claimed(target) as other:
        assert other == ""
        with claimed(target) as second:
            assert second == f"process {os.getpid()} on {socket.gethostname()}"
        with claimed(tmp_path / "below" / "b.png") as third:
            assert third == ""
        assert [p.name for p in target.parent.iterdir()] == [".a.png.claim-0"]
    assert not any(target.parent.iterdir())


def test_of_many_at_once_one_wins(tmp_path):
    def make(_):
        with claimed(tmp_path / "a.png") as other:
            if not other and not (tmp_path / "a.png").exists():
                time.sleep(0.005)
                (tmp_path / "a.png").write_text("made")
                return 1
        return 0

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(make, range(64))) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_a_claim_that_is_no_longer_touched_is_stale_and_one_takes_it_over(tmp_path):
    leave(tmp_path / ".a.png.claim-0", host="elsewhere", age=61)
    with claimed(tmp_path / "a.png") as other:
        assert other == ""
        assert (tmp_path / ".a.png.claim-1").exists()
        with claimed(tmp_path / "a.png") as second:
            assert second
    assert not any(tmp_path.iterdir())
    leave(tmp_path / ".a.png.claim-0", host="elsewhere", age=50)
    with claimed(tmp_path / "a.png") as other:
        assert other.endswith("on elsewhere")


def test_the_claim_of_a_dead_process_of_this_machine_is_stale_at_once(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    leave(tmp_path / ".a.png.claim-0", process=gone.pid)
    with claimed(tmp_path / "a.png") as other:
        assert other == ""


def test_the_owner_touches_it(tmp_path):
    with claimed(tmp_path / "a.png", beat=0.01):
        claim = tmp_path / ".a.png.claim-0"
        os.utime(claim, (0, 0))
        deadline = time.monotonic() + 20
        while claim.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert claim.stat().st_mtime > 0


def test_it_is_given_back_when_the_work_fails(tmp_path):
    with pytest.raises(ZeroDivisionError), claimed(tmp_path / "a.png"):
        raise ZeroDivisionError
    assert not any(tmp_path.iterdir())


def test_a_folder_that_is_a_file_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ImageError, match="cannot claim"), claimed(tmp_path / "file" / "a.png"):
        pass
