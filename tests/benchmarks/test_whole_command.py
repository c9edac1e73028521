"""The benchmark of the whole command measures a process from outside."""

import pytest

from benchmarks.whole_command import timed_process


def test_a_process_is_measured_with_what_it_printed():
    run, printed = timed_process(["-S", "-c", "print('done')"])
    assert printed == "done\n"
    assert run.processor > 0
    assert run.clock > 0
    assert run.peak > 1


def test_a_process_that_fails_ends_the_benchmark():
    with pytest.raises(SystemExit, match="ended with 3"):
        timed_process(["-S", "-c", "raise SystemExit(3)"])
