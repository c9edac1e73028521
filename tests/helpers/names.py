"""The names of the generators that can be built here."""

from importlib.util import find_spec

from kornia_srgan.registry.catalog import GENERATORS


def generator_names(*, wrapped: bool = True) -> list[str]:
    """All registered names; without those whose extra is not installed (they have tests of their own).

    Args:
        wrapped: Also those that wrap networks of another library, which have no `channels`.
    """
    left_out = {"timm_backbone"}  # see tests/components/test_timm_generator.py
    if not wrapped or find_spec("spandrel") is None:
        left_out.add("spandrel")
    return [name for name in GENERATORS.names() if name not in left_out]
