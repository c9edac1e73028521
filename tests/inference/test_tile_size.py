"""The side of a tile as it is typed, on the command line and on the page."""

import pytest

from kornia_srgan.errors import UserError
from kornia_srgan.inference.tile_size import parse_tile


def test_what_the_tile_may_be():
    assert [parse_tile(t) for t in ("auto", " AUTO ", "", "0", "64")] == ["auto", "auto", "auto", 0, 64]
    for text in ("-1", "small", "1.5", "²", "9" * 20):
        with pytest.raises(UserError, match="tile is"):
            parse_tile(text)
