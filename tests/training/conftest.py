from collections.abc import Callable, Iterator

import pytest

from tests.helpers.training import killer


@pytest.fixture
def kill_at() -> Iterator[Callable[[int], None]]:
    """Have runs that are given `killer` die before the step of that number; -1 lets them live."""

    def arm(total: int) -> None:
        killer.total = total

    yield arm
    killer.total = -1
