"""From a finished run to a file for others: figures and licence in the header, a model card beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from kornia_srgan.atomic import write_text
from kornia_srgan.errors import WeightsError
from kornia_srgan.weights.card import count_parameters, model_card
from kornia_srgan.weights.files import load_weights, save_weights
from kornia_srgan.weights.spec import JSON, WeightSpec

if TYPE_CHECKING:
    import torch


def release(
    source: str | Path,
    target: str | Path,
    *,
    figures: Mapping[str, JSON],
    license: str = "",
    facts: Mapping[str, JSON] | None = None,
    called: str = "",
    dtype: torch.dtype | None = None,
) -> WeightSpec:
    """Write a weight file for publication and its model card, `target` with the suffix `.md`.

    Args:
        source: A file that a run wrote.
        target: The file to write.
        figures: What it scores, such as `{"Set5 (ledig-y)": {"psnr": 31.4, "ssim": 0.881}}`; they go into
            the header and the card.
        license: Licence of the weights; by default the one in the header.
        facts: More about the training to put into the header.
        called: How the card's example names the weights; by default the name of `target`.
        dtype: Store floating-point tensors so; by default as they are.

    Raises:
        WeightsError: If the source is not sound, or a file cannot be written.
    """
    target = Path(target)
    spec, state = load_weights(source)
    training = {**spec.training, **(facts or {}), "figures": dict(figures)}
    told = replace(spec, training=training, license=license or spec.license)
    written = save_weights(target, state, told, dtype=dtype)
    card = model_card(written, source=called or target.name, parameters=count_parameters(state))
    write_text(target.with_suffix(".md"), card, WeightsError)
    return written
