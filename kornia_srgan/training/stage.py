"""The training step of a stage."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kornia_srgan.contracts import Batch, LossReport
from kornia_srgan.errors import TrainingError
from kornia_srgan.ops.norms import norm_momentum
from kornia_srgan.training.players import ActiveStage, Player
from kornia_srgan.training.steps import discriminator_loss, generator_loss


@dataclass(frozen=True)
class StepResult:
    """The result of a step.

    Attributes:
        terms: Every loss term and both gradient norms, detached scalars.
        bad: The name of the first term that was not finite, or an empty string; such a step changes nothing.
        skipped: Whether the generator's step was skipped, for a bad term or by the fp16 scaler.
    """

    terms: Mapping[str, Tensor]
    bad: str = ""
    skipped: bool = False


def train_step(
    stage: ActiveStage,
    batches: Sequence[Batch],
    accelerator: Accelerator,
    *,
    grad_clip: float = 0.0,
    adversarial_share: float = 1.0,
) -> StepResult:
    """Step the discriminator, if there is one, then the generator.

    With several micro-batches, both losses are averaged over them and each network steps once. As with a
    single batch, the generator's step uses the updated discriminator.

    Args:
        stage: The networks and losses.
        batches: The micro-batches of this process.
        accelerator: Scales and reduces the gradients.
        grad_clip: Largest gradient norm of each network; 0 does not clip.
        adversarial_share: Factor of the adversarial weight in this step, in [0, 1].
    """
    weight = stage.adversarial_weight * adversarial_share
    shared = stage.generator.prepared(batches[0].lr) if len(batches) == 1 else None
    first = StepResult({})
    if stage.discriminator is not None and stage.adversarial is not None:
        first = _discriminator_turn(stage, batches, shared, accelerator, grad_clip)
    # After a bad discriminator the generator's backward still runs, since DDP waits for it, but not its step.
    hold = bool(first.bad)
    second = _generator_turn(stage, batches, shared, accelerator, grad_clip, weight=weight, hold=hold)
    return StepResult({**first.terms, **second.terms}, first.bad or second.bad, second.skipped)


def _discriminator_turn(
    stage: ActiveStage,
    batches: Sequence[Batch],
    shared: Tensor | None,
    accelerator: Accelerator,
    grad_clip: float,
) -> StepResult:
    player, adversarial = stage.discriminator, stage.adversarial
    assert player is not None
    assert adversarial is not None
    meter = _Mean()
    for index, batch in enumerate(batches):
        sr = shared if shared is not None else _generate_only(stage.generator, batch.lr)
        with _synchronised(accelerator, player, last=index == len(batches) - 1):
            report = discriminator_loss(batch.hr, sr, adversarial=adversarial, discriminator=player.prepared)
            _backward(accelerator, report, len(batches))
        meter.add(report)
    if stage.discriminator_limit is None:
        return _step(player, meter, accelerator, grad_clip, "d_grad_norm")
    ahead = _accuracy(meter, accelerator) > stage.discriminator_limit
    result = _step(player, meter, accelerator, grad_clip, "d_grad_norm", hold=ahead)
    held = torch.tensor(float(ahead), device=accelerator.device)
    return StepResult({**result.terms, "d_held": held}, result.bad, result.skipped)


def _accuracy(meter: _Mean, accelerator: Accelerator) -> float:
    """The share of logits that the discriminator classifies correctly, over all ranks."""
    both = (meter.terms["d_accuracy_real"] + meter.terms["d_accuracy_fake"]) / 2
    return float(torch.as_tensor(accelerator.reduce(both, "mean")))


def _generator_turn(
    stage: ActiveStage,
    batches: Sequence[Batch],
    shared: Tensor | None,
    accelerator: Accelerator,
    grad_clip: float,
    *,
    weight: float,
    hold: bool,
) -> StepResult:
    player, opponent = stage.generator, stage.discriminator
    meter = _Mean()
    # The opponent is called without its DDP wrapper, which would wait for gradients that never come.
    with _frozen(opponent.plain if opponent else None):
        for index, batch in enumerate(batches):
            with _synchronised(accelerator, player, last=index == len(batches) - 1):
                sr = shared if shared is not None else player.prepared(batch.lr)
                report = generator_loss(
                    sr.float(),
                    batch.hr,
                    stage.losses,
                    adversarial=stage.adversarial,
                    adversarial_weight=weight,
                    discriminator=opponent.plain if opponent else None,
                )
                _backward(accelerator, report, len(batches))
            meter.add(report)
    return _step(player, meter, accelerator, grad_clip, "g_grad_norm", hold=hold)


def _backward(accelerator: Accelerator, report: LossReport, parts: int) -> None:
    """Accumulate gradients; in anomaly mode, an error names the first bad term.

    Raises:
        TrainingError: In torch's anomaly mode, if the gradient of an operation is NaN.
    """
    try:
        accelerator.backward(report.total / parts)
    except RuntimeError as error:
        if "returned nan values" not in str(error):
            raise
        bad = [f"'{name}'" for name, value in report.terms.items() if not torch.isfinite(value)]
        raise TrainingError.at(
            "train.detect_anomaly",
            f"{bad[0] if bad else 'a gradient'} is not finite; {error} "
            "Where it was called is in the traceback above",
        ) from error


def _step(
    player: Player,
    meter: _Mean,
    accelerator: Accelerator,
    grad_clip: float,
    norm_name: str,
    *,
    hold: bool = False,
) -> StepResult:
    """Unscale, clip and step one optimizer; skip the step if a gradient is not finite.

    Gradients are reduced over the ranks before this, so every rank sees the same norm and decides alike.
    The fp16 scaler is updated by each optimizer's step: the discriminator's overflow lowers the scale for the
    generator's turn of the same iteration already.
    """
    if hold:  # not unscaled either: the scaler would keep what it found for the next step
        player.optimizer.zero_grad(set_to_none=True)
        return StepResult(meter.terms, skipped=True)
    accelerator.unscale_gradients(player.optimizer)
    norm = _gradient_norm(player, grad_clip)
    finite = bool(torch.isfinite(norm))
    if finite or accelerator.scaler is not None:  # a scaler refuses by itself, and lowers its scale
        player.optimizer.step()
    player.optimizer.zero_grad(set_to_none=True)
    if finite:
        return StepResult({**meter.terms, norm_name: norm.detach()})
    bad_terms = [name for name, value in meter.terms.items() if not bool(torch.isfinite(value))]
    if accelerator.scaler is not None and _is_overflow(accelerator, bad_terms):
        return StepResult(meter.terms, skipped=True)
    return StepResult(meter.terms, bad_terms[0] if bad_terms else norm_name, skipped=True)


def _is_overflow(accelerator: Accelerator, bad_terms: list[str]) -> bool:
    """Whether the fp16 scaler's scale made the gradients overflow; the same on all ranks.

    It did not if a loss of any rank was not finite, or if gradients overflow even without scaling. Otherwise
    the scale would shrink for ever and training would stall.
    """
    bad = torch.tensor(float(bool(bad_terms)), device=accelerator.device)
    ranks = torch.as_tensor(accelerator.reduce(bad, "sum"))
    return not bool(ranks) and accelerator.scaler is not None and accelerator.scaler.get_scale() >= 1


def _gradient_norm(player: Player, grad_clip: float) -> Tensor:
    """The norm of all gradients, which are then clipped to `grad_clip` unless it is 0."""
    if grad_clip:
        return torch.nn.utils.clip_grad_norm_(player.parameters, grad_clip)
    return torch.nn.utils.get_total_norm(p.grad for p in player.parameters if p.grad is not None)


@dataclass
class _Mean:
    """The mean of the micro-batches' terms."""

    terms: dict[str, Tensor] = field(default_factory=dict)
    count: int = 0

    def add(self, report: LossReport) -> None:
        self.count += 1
        for name, value in report.terms.items():
            old = self.terms.get(name)
            self.terms[name] = value if old is None else old + (value - old) / self.count


@contextmanager
def _synchronised(accelerator: Accelerator, player: Player, *, last: bool) -> Iterator[None]:
    """Reduce gradients over the ranks only for the last micro-batch."""
    if last:
        yield
    else:
        with accelerator.no_sync(player.prepared):
            yield


@contextmanager
def _frozen(module: nn.Module | None) -> Iterator[None]:
    """Disable gradients for the parameters of a module."""
    parameters = [p for p in module.parameters() if p.requires_grad] if module else []
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)


@torch.no_grad()
def _generate_only(player: Player, lr: Tensor) -> Tensor:
    """Generate images for the discriminator's step, without changing BatchNorm statistics."""
    with norm_momentum(player.plain, 0.0):
        return player.plain(lr)
