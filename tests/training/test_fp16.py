"""One fp16 scaler for two optimizers, through the real stage, on a CPU."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from kornia_srgan.assembly import NamedLoss
from kornia_srgan.training import trainer as trainer_module
from kornia_srgan.training.hooks import StepEvent, StepHook
from kornia_srgan.training.players import ActiveStage, Player, prepare_stage
from kornia_srgan.training.run import train
from kornia_srgan.training.stage import train_step
from tests.helpers.batches import Poisoned, halves, random_batch
from tests.helpers.half import fp16_accelerator, fresh_state
from tests.helpers.runs import assert_equal_trees, assert_same_run
from tests.helpers.tolerances import assert_near
from tests.helpers.training import make_photos, small_components, small_config, state_of, tensors_equal

SCALE = 2.0**12


@pytest.fixture(autouse=True)
def _fresh_state() -> Iterator[None]:
    with fresh_state():
        yield


def make_stage(accelerator: Accelerator, **sections: Any) -> ActiveStage:
    components = small_components(**sections)
    config = small_config(**sections)
    return prepare_stage(components.generator, components.stages[1], config.train, accelerator)


def half_stage(*, scale: float = SCALE, **sections: Any) -> tuple[ActiveStage, Accelerator]:
    accelerator = fp16_accelerator(init_scale=scale)
    return make_stage(accelerator, **sections), accelerator


def players(stage: ActiveStage) -> tuple[Player, Player]:
    """Generator and discriminator."""
    assert stage.discriminator is not None
    return stage.generator, stage.discriminator


def scaler_of(accelerator: Accelerator) -> tuple[float, int]:
    """Its scale and how many updates without an overflow it has counted."""
    assert accelerator.scaler is not None
    state = accelerator.scaler.state_dict()
    return state["scale"], state["_growth_tracker"]


def spoil(player: Player, times: int = 1, value: float = math.inf) -> Callable[[], None]:
    """Make the player's next gradients overflow; returns what stops it."""
    left = [times]

    def overflow(gradient: Tensor) -> Tensor:
        left[0] -= 1
        return torch.full_like(gradient, value) if left[0] >= 0 else gradient

    return player.parameters[0].register_hook(overflow).remove


OPTIMIZERS = [
    {"name": "adam"},  # fused: its kernel looks at `found_inf` itself
    {"name": "adam", "args": {"fused": False}},  # the scaler does not call `step`
]


@pytest.mark.parametrize("optimizer", [*OPTIMIZERS, {"name": "momentum"}])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_without_an_overflow_both_networks_go_the_way_of_float32(
    optimizer: dict[str, Any], accumulate: int
) -> None:
    """Fails if the scale stays in the gradients: momentum would step 4096 times too far."""
    sections = {"train__optimizer": optimizer, "train__lr": 1e-3}
    batch = random_batch()
    micro = [batch] if accumulate == 1 else halves(batch)
    with fresh_state():
        full = Accelerator(cpu=True)
        wide = make_stage(full, **sections)
        start = [state_of(player.plain) for player in players(wide)]
        expected = [train_step(wide, micro, full) for _ in range(4)][-1]
    narrow, accelerator = half_stage(**sections)
    results = [train_step(narrow, micro, accelerator) for _ in range(4)]
    assert not any(result.bad or result.skipped for result in results)
    result = results[-1]
    for before, one, two in zip(start, players(wide), players(narrow), strict=True):
        difference, way = 0.0, 0.0
        for name, parameter in one.plain.named_parameters():
            other = dict(two.plain.named_parameters())[name]
            assert other.dtype == torch.float32
            difference += float((parameter - other).detach().square().sum())
            way += float((parameter.detach() - before[name]).square().sum())
        assert way > 0
        assert difference**0.5 < 0.1 * way**0.5
    for name in ("g_grad_norm", "d_grad_norm", "l1"):  # norms are those of unscaled gradients
        assert result.terms[name].item() == pytest.approx(expected.terms[name].item(), rel=0.03), name
    assert all(term.dtype == torch.float32 for term in result.terms.values())


def test_the_networks_compute_in_half_precision_and_the_losses_in_float32() -> None:
    seen: dict[str, torch.dtype] = {}

    class Watching(nn.Module):
        def forward(self, sr: Tensor, hr: Tensor) -> Tensor:
            seen["loss"] = sr.dtype
            return (sr - hr).abs().mean()

    stage, accelerator = half_stage()
    generator, discriminator = players(stage)
    for name, player in (("generator", generator), ("discriminator", discriminator)):
        convolution = next(m for m in player.plain.modules() if isinstance(m, nn.Conv2d))
        convolution.register_forward_hook(lambda _, __, out, name=name: seen.update({name: out.dtype}))
    stage = replace(stage, losses=(NamedLoss("watched", 1.0, Watching()),))
    train_step(stage, [random_batch()], accelerator)
    assert seen == {"generator": torch.float16, "discriminator": torch.float16, "loss": torch.float32}


def test_the_scale_grows_by_what_both_optimizers_step() -> None:
    """Accelerate updates the scaler with every optimizer's step: twice in a step of a GAN.

    So the scale doubles after half as many steps as torch's `growth_interval`.
    """
    accelerator = fp16_accelerator(init_scale=SCALE, growth_interval=5)
    stage = make_stage(accelerator)
    found = []
    for _ in range(5):
        train_step(stage, [random_batch()], accelerator)
        found.append(scaler_of(accelerator))
    # Updates 5 and 10: within step 3, between the discriminator's turn and the generator's, and after step 5.
    assert found == [(SCALE, 2), (SCALE, 4), (2 * SCALE, 1), (2 * SCALE, 3), (4 * SCALE, 0)]


def test_a_scale_that_grows_between_the_turns_does_not_change_the_step() -> None:
    """The generator's gradients are unscaled by the scale of its own turn."""
    moved = []
    for interval in (1, 1000):
        with fresh_state():
            accelerator = fp16_accelerator(init_scale=SCALE, growth_interval=interval)
            stage = make_stage(accelerator, train__optimizer={"name": "momentum"})
            norm = train_step(stage, [random_batch()], accelerator).terms["g_grad_norm"]
            moved.append((norm.item(), state_of(stage.generator.plain)))
    assert moved[0][0] == pytest.approx(moved[1][0], rel=1e-3)
    for name, value in moved[0][1].items():
        assert_near(value, moved[1][1][name], "trained in float16", name)


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=["fused", "plain"])
@pytest.mark.parametrize("turn", ["generator", "discriminator"])
@pytest.mark.parametrize("grad_clip", [0.0, 0.1])
def test_an_overflow_skips_one_turn_and_halves_the_scale(
    turn: str, optimizer: dict[str, Any], grad_clip: float
) -> None:
    stage, accelerator = half_stage(train__optimizer=optimizer)
    batch = random_batch()
    train_step(stage, [batch], accelerator, grad_clip=grad_clip)  # Adam has its moments now
    before = {name: state_of(getattr(stage, name).plain) for name in ("generator", "discriminator")}
    moments = {name: optimizer_state(getattr(stage, name)) for name in before}
    stop = spoil(getattr(stage, turn))
    result = train_step(stage, [batch], accelerator, grad_clip=grad_clip)
    stop()
    assert result.bad == ""
    assert result.skipped == (turn == "generator")
    norm = {"generator": "g_grad_norm", "discriminator": "d_grad_norm"}[turn]
    assert norm not in result.terms  # it would make the mean of all logged steps infinite
    assert all(bool(torch.isfinite(term)) for term in result.terms.values())
    for name, old in before.items():
        stands_still = tensors_equal(parameters(old), parameters(getattr(stage, name).plain.state_dict()))
        assert stands_still == (name == turn), name
        if name == turn:
            assert_equal_trees(moments[name], optimizer_state(getattr(stage, name)), name)
    assert scaler_of(accelerator) == (SCALE / 2, 1 if turn == "discriminator" else 0)
    again = train_step(stage, [batch], accelerator, grad_clip=grad_clip)
    assert (again.bad, again.skipped) == ("", False)
    for name, old in before.items():
        new = getattr(stage, name).plain.state_dict()
        assert not tensors_equal(parameters(old), parameters(new)), name
        assert all(bool(value.isfinite().all()) for value in new.values())


def parameters(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Without BatchNorm's statistics, which a forward pass moves."""
    return {k: v for k, v in state.items() if "running" not in k and "num_batches" not in k}


def optimizer_state(player: Player) -> dict[str, Any]:
    state = player.optimizer.state_dict()["state"]
    return {str(k): {n: torch.as_tensor(v).clone() for n, v in s.items()} for k, s in state.items()}


def test_a_scale_that_is_far_too_large_is_brought_down_without_a_bad_step() -> None:
    """Real overflows in float16, in both turns, until the gradients fit."""
    stage, accelerator = half_stage(scale=2.0**40)
    start = [state_of(player.plain) for player in players(stage)]
    skipped = []
    for _ in range(40):
        result = train_step(stage, [random_batch()], accelerator)
        assert result.bad == ""
        skipped.append(result.skipped)
        for player in players(stage):
            assert all(bool(p.isfinite().all()) for p in player.parameters)
    assert skipped[0]
    assert not skipped[-1]
    assert 1 < scaler_of(accelerator)[0] < 2.0**40
    for before, player in zip(start, players(stage), strict=True):
        assert not tensors_equal(parameters(before), parameters(player.plain.state_dict()))


def test_a_gradient_that_no_scale_mends_is_bad() -> None:
    """Else the scale would shrink to nothing and the run stand still without a word."""
    stage, accelerator = half_stage(scale=8.0)
    spoil(stage.generator, times=99, value=math.nan)
    found = [train_step(stage, [random_batch()], accelerator).bad for _ in range(6)]
    assert found == ["", "", "", "g_grad_norm", "g_grad_norm", "g_grad_norm"]  # at 4, 2, 1, 1/2, ...


def test_a_bad_loss_is_bad_under_a_scaler_too() -> None:
    stage, accelerator = half_stage()
    before = state_of(stage.generator.plain)
    poisoned = replace(stage, losses=(*stage.losses, NamedLoss("poison", 1.0, Poisoned())))
    result = train_step(poisoned, [random_batch()], accelerator)
    assert (result.bad, result.skipped) == ("poison", True)
    assert tensors_equal(before, stage.generator.plain.state_dict())
    assert train_step(stage, [random_batch()], accelerator).bad == ""


def test_a_bad_discriminator_holds_the_generator_and_leaves_nothing_in_the_scaler() -> None:
    """The held generator's gradients are bad as well; the next step must not be charged for them."""
    one_layer = {"name": "vgg", "args": {"filters": [8], "strides": [2], "dense": 8, "pool": 2}}
    # No BatchNorm keeps the infinity, and the slope of mse is infinite there.
    stage, accelerator = half_stage(stages__1__discriminator=one_layer, stages__1__losses=["mse"])
    before = [state_of(player.plain) for player in players(stage)]
    batch = random_batch()
    batch.hr[0, 0, 0, 0] = math.inf
    result = train_step(stage, [batch], accelerator)
    assert (result.bad, result.skipped) == ("d_true", True)
    for old, player in zip(before, players(stage), strict=True):
        assert tensors_equal(old, player.plain.state_dict())
    assert scaler_of(accelerator) == (SCALE / 2, 0)
    assert train_step(stage, [random_batch()], accelerator).bad == ""
    assert scaler_of(accelerator) == (SCALE / 2, 2)


@pytest.mark.parametrize("scale", [2.0**4, SCALE])
def test_the_norm_that_is_clipped_is_that_of_unscaled_gradients(scale: float) -> None:
    """Momentum's first step is the gradient itself: at most 1e-3 long, and no shorter by the scale."""
    with fresh_state():
        full = Accelerator(cpu=True)
        expected = train_step(make_stage(full), [random_batch()], full).terms
    sections = {"train__optimizer": {"name": "momentum"}, "train__lr": 1.0}
    stage, accelerator = half_stage(scale=scale, **sections)
    before = [state_of(player.plain) for player in players(stage)]
    result = train_step(stage, [random_batch()], accelerator, grad_clip=1e-3)
    assert result.terms["d_grad_norm"].item() == pytest.approx(expected["d_grad_norm"].item(), rel=0.03)
    assert result.terms["d_grad_norm"].item() > 1e-2  # it has to be clipped
    for old, player in zip(before, players(stage), strict=True):
        moved = sum(
            float((p.detach() - old[name]).square().sum()) for name, p in player.plain.named_parameters()
        )
        assert moved**0.5 == pytest.approx(1e-3, rel=0.02)


# The whole trainer.


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_photos(tmp_path / "photos")


def run(
    photos: Path,
    output: Path,
    *,
    resume: bool = False,
    growth: int = 3,
    on_step: StepHook | None = None,
    **sections: Any,
) -> bool:
    """As a run begins: with a state and a scaler of its own."""
    config = small_config(data__folders=[str(photos)], **{"train__checkpoint_every": 4, **sections})
    with fresh_state():
        accelerator = fp16_accelerator(init_scale=SCALE, growth_interval=growth)
        return train(config, output, resume=resume, accelerator=accelerator, on_step=on_step)


class Overflows:
    """Overflows in the generator's gradients at some steps; `moved`: whether the average did at each step."""

    def __init__(self, totals: set[int], *, killed_at: int = -1) -> None:
        self.totals, self.killed_at = totals, killed_at
        self.moved: list[bool] = []
        self._before: dict[str, torch.Tensor] = {}
        self._stop: Callable[[], None] = lambda: None

    def __call__(self, event: StepEvent) -> None:
        assert event.average is not None
        if event.result is not None:
            self._stop()
            self.moved.append(not tensors_equal(self._before, event.average.state_dict()))
            return
        if event.progress.total == self.killed_at:
            raise InterruptedError
        self._before = state_of(event.average)
        spoilt = event.progress.total in self.totals
        self._stop = spoil(event.stage.generator) if spoilt else lambda: None


def test_a_run_goes_on_through_overflows_and_its_average_leaves_them_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """More in a row than bad numbers are borne with: they are no bad numbers."""
    monkeypatch.setattr(trainer_module, "BAD_STEPS_BEFORE_ROLLBACK", 2)
    overflows = Overflows({1, 2, 3, 8, 9})
    assert run(photos, tmp_path / "run", growth=1000, on_step=overflows)
    assert overflows.moved == [total not in {1, 2, 3, 8, 9} for total in range(12)]
    assert "not finite" not in capsys.readouterr().err
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert all(value is not None for line in lines for value in line.values())
    assert [line["total"] for line in lines if "event" in line] == []
    newest = tmp_path / "run/checkpoints/step-00000012"
    assert torch.load(newest / "scaler.pt")["scale"] == SCALE / 2**5


@pytest.mark.parametrize("killed_at", [5, 10])
def test_the_scaler_is_resumed_exactly(photos: Path, tmp_path: Path, killed_at: int) -> None:
    """At steps 4 and 8, where it resumes, it is at half and at twice its first scale and has counted two."""
    overflows = {1, 8}
    run(photos, tmp_path / "whole", on_step=Overflows(overflows))
    with pytest.raises(InterruptedError):
        run(photos, tmp_path / "killed", on_step=Overflows(overflows, killed_at=killed_at))
    assert run(photos, tmp_path / "killed", resume=True, on_step=Overflows(overflows))
    assert_same_run(tmp_path / "whole", tmp_path / "killed")
    checkpoints = [tmp_path / name / "checkpoints" for name in ("whole", "killed")]
    for step in ("step-00000008", "step-00000012"):
        one, two = (torch.load(folder / step / "scaler.pt") for folder in checkpoints)
        assert one == two, step
    assert torch.load(checkpoints[0] / "step-00000008/scaler.pt")["scale"] == 2 * SCALE
