"""Prepares the weights of a run for publication: scores and licence in the header, and a model card."""

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


def write_release(
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
        source: The weights of a run.
        target: The file to write.
        figures: Scores for the header and the card, such as `{"Set5 (ledig-y)": {"psnr": 31.4, "ssim":
            0.881}}`.
        license: Licence of the weights; by default the one in the header.
        facts: Further facts about the training for the header.
        called: The weights in the card's example; by default the name of `target`.
        dtype: Convert floating-point tensors to this dtype.

    Raises:
        WeightsError: If the source is damaged, or a file cannot be written.
    """
    target = Path(target)
    spec, state = load_weights(source)
    training = {**spec.training, **(facts or {}), "figures": dict(figures)}
    told = replace(spec, training=training, license=license or spec.license)
    written = save_weights(target, state, told, dtype=dtype)
    card = model_card(written, source=called or target.name, parameters=count_parameters(state))
    write_text(target.with_suffix(".md"), card, WeightsError)
    return written
