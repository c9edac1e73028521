import os
from pathlib import Path

import pytest

# Several test processes share the cores; each with a thread for every core would only fight for them.
# Set before torch is imported, and handed on to the commands that tests start.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images beside the checkout; tests that need them say so when they are skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real images of {SHARED_DATA}, which are not here")
    return SHARED_DATA
