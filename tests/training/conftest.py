from collections.abc import Callable, Iterator

import pytest

from kornia_srgan.training import journal
from tests.helpers.training import killer


@pytest.fixture
def plots() -> None:
    """Runs of this test draw their losses."""


@pytest.fixture(autouse=True)
def _without_plots(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes longer than training such small networks; a test that looks at it asks for `plots`."""
    if "plots" not in request.fixturenames:
        monkeypatch.setattr(journal, "plot_losses", lambda metrics, picture: None)


@pytest.fixture
def kill_at() -> Iterator[Callable[[int], None]]:
    """Have runs that are given `killer` die before the step of that number; -1 lets them live."""

    def arm(total: int) -> None:
        killer.total = total

    yield arm
    killer.total = -1
