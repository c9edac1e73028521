import gc
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import torch

# Several test processes share the cores; each with a thread for every core would only fight for them.
# Set before torch is imported, and handed on to the commands that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

# Without it the commands that tests start would compile the whole package anew, each of them.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_report_header() -> str:
    """Whether the tests of CUDA see a real device."""
    import torch

    if torch.cuda.is_available():
        return f"CUDA: {torch.cuda.get_device_name(0)}"
    return "CUDA: pretended (tests/helpers/pretend_cuda.py says what a pass does not mean)"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests first: with several workers none is left alone with one at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def pytest_sessionstart() -> None:
    """Let tests fork this process (`tests/helpers/forked_ranks.py`).

    Autograd counts the devices once, at its first backward pass, and starts a thread for each. torch.export
    makes torch believe in eight; a first pass after that would start threads, which forbid to fork. And a
    fork must not collect what earlier tests left: decoders of clips wait for threads that it does not have.
    """
    import torch

    os.register_at_fork(after_in_child=gc.freeze)
    torch.ones(1, requires_grad=True).sum().backward()


def pytest_collection_finish() -> None:
    _keep_for_good()


def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Between two files, keep what came with the first.

    The trainer collects garbage at the end of each run: with all modules in sight that takes a second, and
    the tests make hundreds of runs.
    """
    if nextitem is None or item.path != nextitem.path:
        _keep_for_good()


def _keep_for_good() -> None:
    """Let later collections of garbage pass over what is there now."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Say how a worker ended that was lost; xdist says only that it was."""
    process = node.gateway._io.popen  # execnet has no public way to it
    if error:
        code = process.wait(timeout=30)
        print(f"{node.gateway.id} ended with {signal.Signals(-code).name if code < 0 else f'code {code}'}")


SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images beside the checkout; tests that need them say so when they are skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real images of {SHARED_DATA}, which are not here")
    return SHARED_DATA


@pytest.fixture
def cuda(monkeypatch: pytest.MonkeyPatch) -> Iterator["torch.device"]:
    """The first CUDA device, or a pretended one: what lies where is checked on every machine."""
    import torch

    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)  # rounds too coarsely to be compared
    if torch.cuda.is_available():
        yield torch.device("cuda", 0)
        return
    from tests.helpers.pretend_cuda import pretend_cuda

    with pretend_cuda() as device:
        yield device
