import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from kornia_srgan.assembly import NamedLoss
from kornia_srgan.config.model import Optimizer, Schedule
from kornia_srgan.contracts import Batch
from kornia_srgan.errors import ConfigError
from kornia_srgan.training.optim import LearningRate, make_optimizer, warmup_share
from kornia_srgan.training.players import ActiveStage, prepare_stage
from kornia_srgan.training.stage import train_step
from tests.helpers.batches import Poisoned, halves, random_batch
from tests.helpers.tolerances import assert_near
from tests.helpers.training import cpu_accelerator, small_components, small_config, state_of, tensors_equal


def make_stage(index: int = 1, **sections: object) -> tuple[ActiveStage, object]:
    config = small_config(**sections)
    components = small_components(**sections)
    accelerator = cpu_accelerator()
    return prepare_stage(
        components.generator, components.stages[index], config.train, accelerator
    ), accelerator


def test_a_step_moves_both_networks_and_reports_every_term() -> None:
    stage, accelerator = make_stage()
    assert stage.discriminator is not None
    before = state_of(stage.generator.plain), state_of(stage.discriminator.plain)
    result = train_step(stage, [random_batch()], accelerator)
    assert not tensors_equal(before[0], stage.generator.plain.state_dict())
    assert not tensors_equal(before[1], stage.discriminator.plain.state_dict())
    assert set(result.terms) == {
        "l1", "adversarial", "d_true", "d_false", "d_accuracy_real", "d_accuracy_fake", "g_grad_norm",
        "d_grad_norm",
    }  # fmt: skip
    assert not result.bad
    assert all(p.requires_grad for p in stage.discriminator.plain.parameters())


def test_the_generators_turn_leaves_no_gradient_in_the_discriminator() -> None:
    stage, accelerator = make_stage()
    assert stage.discriminator is not None
    train_step(stage, [random_batch()], accelerator)
    assert all(p.grad is None for p in stage.discriminator.plain.parameters())
    assert all(p.grad is None for p in stage.generator.plain.parameters())


def test_micro_batches_give_what_one_batch_gives() -> None:
    """Both networks have no BatchNorm on the way that would see another batch: the first conv layer only."""
    section = {
        "stages__1__discriminator": {
            "name": "vgg", "args": {"filters": [8], "strides": [2], "dense": 8, "pool": 2},
        }
    }  # fmt: skip
    whole, accelerator = make_stage(**section)
    split, _ = make_stage(**section)
    batch = random_batch()
    for _ in range(3):
        one = train_step(whole, [batch], accelerator)
        two = train_step(split, halves(batch), accelerator)
    for name in one.terms:
        assert one.terms[name].item() == pytest.approx(two.terms[name].item(), rel=1e-4), name
    for a, b in ((whole.generator, split.generator), (whole.discriminator, split.discriminator)):
        assert a is not None
        assert b is not None
        for x, y in zip(a.plain.parameters(), b.plain.parameters(), strict=True):
            assert_near(x, y, "trained")


def test_clipping_bounds_the_update() -> None:
    stage, accelerator = make_stage(
        0, train__optimizer={"name": "momentum"}, train__lr=1.0, stages__0__schedule={"name": "constant"}
    )
    before = state_of(stage.generator.plain)
    train_step(stage, [random_batch()], accelerator, grad_clip=1e-3)
    moved = sum(
        float(((after - before[name]) ** 2).sum()) for name, after in state_of(stage.generator.plain).items()
    )
    assert 0 < moved**0.5 <= 1.0001e-3


def test_a_bad_loss_changes_nothing_and_is_named() -> None:
    stage, accelerator = make_stage()
    assert stage.discriminator is not None
    stage = replace(stage, losses=(*stage.losses, NamedLoss("poison", 1.0, Poisoned())))
    before = state_of(stage.generator.plain)
    result = train_step(stage, [random_batch()], accelerator)
    assert result.bad == "poison"
    assert result.skipped
    assert tensors_equal(before, stage.generator.plain.state_dict())
    assert train_step(replace(stage, losses=stage.losses[:1]), [random_batch()], accelerator).bad == ""


def test_a_bad_image_stops_both_networks() -> None:
    stage, accelerator = make_stage(
        stages__1__discriminator={
            "name": "vgg",
            "args": {"filters": [8], "strides": [2], "dense": 8, "pool": 2},
        }
    )
    assert stage.discriminator is not None
    before = state_of(stage.generator.plain), state_of(stage.discriminator.plain)
    batch = random_batch()
    batch.hr[0, 0, 0, 0] = float("inf")
    result = train_step(stage, [batch], accelerator)
    assert result.bad == "d_true"
    assert tensors_equal(before[0], stage.generator.plain.state_dict())
    assert tensors_equal(before[1], stage.discriminator.plain.state_dict())


def test_schedules_by_hand() -> None:
    module = nn.Linear(2, 2)

    def rates(schedule: Schedule, steps: int = 10) -> list[float]:
        rate = LearningRate(schedule, make_optimizer(Optimizer(), module, 1.0), steps)
        return [rate.set(step) for step in range(steps)]

    assert rates(Schedule()) == [1.0] * 10
    multistep = rates(Schedule(name="multistep", milestones=(4, 8), decay_rate=0.1))
    assert multistep == pytest.approx([1.0] * 4 + [0.1] * 4 + [0.01] * 2)
    cosine = rates(Schedule(name="cosine"))
    assert cosine[0] == 1.0
    assert cosine[5] == pytest.approx(0.5)
    assert cosine == sorted(cosine, reverse=True)
    assert rates(Schedule(warmup_steps=4))[:5] == pytest.approx([0.25, 0.4375, 0.625, 0.8125, 1.0])
    rate = LearningRate(Schedule(), make_optimizer(Optimizer(), module, 1.0), 10)
    assert rate.set(3, 0.5) == 0.5


@pytest.mark.parametrize(
    ("adversarial", "named"),
    [
        ({"name": "wgan"}, "gradient_penalty 10"),
        ({"name": "hinge", "args": {"r1": 2.5}}, r"r1 2\.5"),
    ],
)
def test_compile_with_a_gradient_penalty_is_refused(adversarial: dict[str, object], named: str) -> None:
    message = rf"train\.compile: stages\.1\.adversarial has {named}, .* set train\.compile=false or "
    with pytest.raises(ConfigError, match=message):
        small_components(train__compile=True, stages__1__adversarial=adversarial)
    small_components(train__compile=True)
    small_components(stages__1__adversarial=adversarial)


def test_an_unknown_optimizer_is_named_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match=r"train\.optimizer\.name: unknown 'adamm'; did you mean 'adam"):
        make_optimizer(Optimizer(name="adamm"), nn.Linear(1, 1), 1.0)
    with pytest.raises(ConfigError, match=r"train\.optimizer\.args: 'adam'"):
        make_optimizer(Optimizer(args={"beta": 1}), nn.Linear(1, 1), 1.0)


def test_batchnorm_statistics_see_each_micro_batch_once() -> None:
    """The discriminator's turn needs images too, but must not count them a second time."""
    stage, accelerator = make_stage(generator={"name": "srresnet", "args": {"num_blocks": 1, "channels": 4}})
    alone = copy.deepcopy(stage.generator.plain)
    micro = halves(random_batch())
    with torch.no_grad():
        for batch in micro:
            alone(batch.lr)
    train_step(stage, micro, accelerator)
    expected = {n: b for n, b in alone.named_buffers() if "running" in n}
    found = dict(stage.generator.plain.named_buffers())
    assert expected
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, msg=name)


def test_the_adversarial_weight_grows_over_its_warmup() -> None:
    """Its term is the weight's share times the same loss, and so is what it adds to the gradient."""
    batch, terms = random_batch(), []
    for share in (0.0, 0.25, 1.0):
        stage, accelerator = make_stage()
        terms.append(train_step(stage, [batch], accelerator, adversarial_share=share).terms["adversarial"])
    assert terms[0] == 0
    torch.testing.assert_close(terms[1] * 4, terms[2])
    assert [warmup_share(step, 4) for step in (0, 1, 3, 4, 9)] == [0, 0.25, 0.75, 1, 1]
    assert warmup_share(0, 0) == 1


def test_a_stage_knows_its_warmup() -> None:
    stage, _ = make_stage(stages__1__adversarial={"name": "vanilla", "weight": 0.1, "warmup_steps": 7})
    assert (stage.adversarial_weight, stage.adversarial_warmup) == (0.1, 7)
    assert make_stage()[0].adversarial_warmup == 0


@pytest.mark.parametrize(("limit", "steps"), [(None, True), (1.0, True), (0.99, False)])
def test_a_discriminator_that_is_ahead_waits(limit: float | None, steps: bool) -> None:
    """It tells all apart here; its optimizer knows nothing of the step, and the generator takes its own."""
    stage, accelerator = make_stage()
    stage.discriminator_limit = limit
    assert stage.discriminator is not None
    certain = stage.discriminator.plain
    forward = certain.forward
    certain.forward = lambda x: forward(x) * 1e-3 + x.mean((1, 2, 3))[:, None] * 4 - 2  # bright is real
    batch = random_batch()
    batch = Batch(batch.lr * 0.1, batch.hr * 0.1 + 0.9)
    before = state_of(certain), state_of(stage.generator.plain)
    result = train_step(stage, [batch], accelerator)
    assert result.terms["d_accuracy_real"] == result.terms["d_accuracy_fake"] == 1
    moved = [name for name, value in certain.named_parameters() if not torch.equal(value, before[0][name])]
    assert bool(moved) == steps
    assert not tensors_equal(before[1], stage.generator.plain.state_dict())
    assert ("d_grad_norm" in result.terms) == steps
    assert result.terms.get("d_held") == {None: None, 1.0: 0, 0.99: 1}[limit]
    assert not result.bad
    assert all(p.grad is None for p in certain.parameters())
    assert bool(stage.discriminator.optimizer.state) == steps


def test_a_discriminator_below_its_limit_steps() -> None:
    stage, accelerator = make_stage(stages__1__discriminator_limit=0.9)
    result = train_step(stage, [random_batch()], accelerator)
    accuracy = (result.terms["d_accuracy_real"] + result.terms["d_accuracy_fake"]) / 2
    assert stage.discriminator_limit == 0.9
    assert result.terms["d_held"] == float(accuracy > 0.9)


def test_a_limit_asks_for_logits_that_say_what_is_real() -> None:
    with pytest.raises(ConfigError, match=r"stages\.1\.discriminator_limit: with 'ragan'"):
        small_components(stages__1__discriminator_limit=0.9, stages__1__adversarial="ragan")
    with pytest.raises(ConfigError, match="'discriminator_limit' belongs to a GAN stage"):
        small_config(stages__0__discriminator_limit=0.9)
    with pytest.raises(ConfigError, match="discriminator_limit"):
        small_config(stages__1__discriminator_limit=0.4)


@pytest.mark.parametrize(
    ("precision", "half"), [("no", None), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_losses_are_told_the_runs_precision(precision: str, half: torch.dtype | None) -> None:
    class Told(nn.Module):
        half: object = "nothing"

        def forward(self, sr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
            return (sr - hr).abs().mean()

        def set_precision(self, half: torch.dtype | None) -> None:
            self.half = half

    config, components, told = small_config(), small_components(), Told()
    stage = replace(components.stages[0], losses=(NamedLoss("told", 1.0, told),))
    accelerator = cpu_accelerator()
    accelerator.state._mixed_precision = precision
    try:
        prepare_stage(components.generator, stage, config.train, accelerator)
    finally:
        accelerator.state._mixed_precision = "no"
    assert told.half == half
