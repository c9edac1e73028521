from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[1].parent / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real images beside the checkout; tests that need them say so when they are skipped."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real images of {SHARED_DATA}, which are not here")
    return SHARED_DATA
