from collections.abc import Callable
from typing import Any

import pytest

from kornia_srgan.training.trainer import Trainer
from tests.helpers.training import Killed


@pytest.fixture
def kill_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Have runs die before the step of that number; -1 lets them live."""
    original = Trainer._step

    def arm(total: int) -> None:
        def step(self: Trainer, stage: Any, crops: Any, progress: Any) -> Any:
            if progress.total == total:
                raise Killed
            return original(self, stage, crops, progress)

        monkeypatch.setattr(Trainer, "_step", step)

    return arm
