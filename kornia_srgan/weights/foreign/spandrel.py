"""Reads weights that match no built-in layout, with spandrel (extra `community`)."""

from __future__ import annotations

from kornia_srgan.community import is_extra, read_community
from kornia_srgan.weights.foreign.layout import Converted, State

PREFIX = "network."


def read_with_spandrel(state: State) -> tuple[str, Converted] | None:
    """The architecture's name and a generator `spandrel` of it; None where spandrel does not know it.

    Raises:
        MissingExtraError: If spandrel is not installed.
        WeightsError: If it is known and cannot be used.
    """
    found = read_community(state)
    if found is None:
        return None
    arguments = {"architecture": found.architecture, "model": found.model, "arguments": found.arguments}
    tensors = {f"{PREFIX}{key}": value for key, value in found.state.items()}
    note = " by spandrel_extra_arches, whose licences differ" if is_extra(found.architecture) else ""
    return f"{found.architecture} (spandrel{note})", Converted("spandrel", arguments, found.scale, tensors)
