"""Tasks go out, results and news come back, and nobody waits for the dead."""

import threading
from dataclasses import dataclass
from multiprocessing import Pipe

import pytest

from kornia_srgan.batch.crew import Crew, LostError, Member
from kornia_srgan.batch.worker import do_tasks
from kornia_srgan.errors import ImageError
from tests.helpers.crews import crew_of_threads


@dataclass(frozen=True)
class Double:
    number: int

    def __call__(self, bench):
        bench.tell(self.number)
        return 2 * bench.desk.ask(lambda: self.number).result()


@dataclass(frozen=True)
class Fails:
    def __call__(self, bench):
        raise ImageError("it is no picture", where="a.png")


class Odd(Exception):
    """Cannot be read again once it is pickled."""

    def __init__(self, first, second):
        super().__init__(f"{first} and {second}")


@dataclass(frozen=True)
class FailsOddly:
    def __call__(self, bench):
        raise Odd("one", "two")


def test_results_and_news_come_back():
    news, ends = [], []
    with crew_of_threads(2) as crew:
        orders = [
            crew.submit(Double(n), on_news=news.append, on_end=lambda *end: ends.append(end))
            for n in range(9)
        ]
        assert [crew.wait_for(order) for order in orders] == [2 * n for n in range(9)]
        crew.finish()
    assert sorted(news) == list(range(9))
    assert sorted(result for result, error in ends if error is None) == [2 * n for n in range(9)]


def test_what_a_task_raises_is_raised():
    with crew_of_threads(1) as crew:
        with pytest.raises(ImageError, match="no picture") as caught:
            crew.wait_for(crew.submit(Fails()))
        assert caught.value.where == "a.png"
        with pytest.raises(RuntimeError, match="one and two"):
            crew.wait_for(crew.submit(FailsOddly()))
        assert crew.wait_for(crew.submit(Double(3))) == 6


def test_the_tasks_of_who_is_lost_have_failed_and_the_others_are_done():
    here, there = Pipe()
    gone, dead = Pipe()
    threading.Thread(target=do_tasks, args=(there,), daemon=True).start()
    crew = Crew([Member(gone), Member(here)])
    ended = []
    for n in range(6):
        crew.submit(Double(n), on_end=lambda result, error: ended.append(error or result))
    dead.close()
    crew.finish()
    lost = [e for e in ended if isinstance(e, LostError)]
    assert len(ended) == 6
    assert len(lost) == 2
    here.close()
    assert crew.submit(Double(1), on_end=lambda _, error: ended.append(error)) is not None
    crew.finish()
    assert isinstance(ended[-1], LostError)
