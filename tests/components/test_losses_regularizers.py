"""Gradient penalties against finite differences, under autocast and in two processes."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from kornia_srgan.components.losses.regularizers import gradient_penalty, r1_penalty
from tests.helpers.tolerances import assert_near


class Critic(nn.Module):
    """Smooth, small, with a map of logits."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Tanh(), nn.Conv2d(4, 1, 2), nn.Softplus())

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def images() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    real, fake = torch.rand(2, 4, 3, 5, 6, generator=generator)
    return real, fake


def numerical_gradients(critic: nn.Module, x: Tensor, step: float = 1e-3) -> Tensor:
    """Central differences of each image's mean logit, in double precision."""
    critic, x = critic.double(), x.double()
    gradients = torch.zeros_like(x)
    with torch.no_grad():
        for index in range(x[0].numel()):
            nudge = torch.zeros_like(x[0]).flatten()
            nudge[index] = step
            nudge = nudge.view_as(x[0])
            up, down = (critic(y).flatten(1).mean(1) for y in (x + nudge, x - nudge))
            gradients.flatten(1)[:, index] = (up - down) / (2 * step)
    return gradients.flatten(1)


def test_r1_equals_finite_differences() -> None:
    real, _ = images()
    found = r1_penalty(Critic(), real)
    expected = numerical_gradients(Critic(), real).square().sum(1).mean() / 2
    assert_near(found, expected.float(), "gradient")


def test_gradient_penalty_equals_finite_differences() -> None:
    real, fake = images()
    mix = torch.tensor([0.0, 0.3, 0.8, 1.0]).view(4, 1, 1, 1)
    found = gradient_penalty(Critic(), real, fake, mix=mix)
    gradients = numerical_gradients(Critic(), mix * real + (1 - mix) * fake)
    expected = (gradients.norm(dim=1) - 1).square().mean()
    assert_near(found, expected.float(), "gradient")


@pytest.mark.parametrize("penalty", [r1_penalty, gradient_penalty])
def test_second_derivative_equals_finite_differences(penalty: object) -> None:
    """The penalty's gradient to a weight, which is what trains the critic."""
    real, fake = images()
    mix = torch.full((4, 1, 1, 1), 0.4)
    arguments = (real,) if penalty is r1_penalty else (real, fake)
    options = {} if penalty is r1_penalty else {"mix": mix}
    critic = Critic()
    penalty(critic, *arguments, **options).backward()
    weight = critic.layers[0].weight
    step = 1e-2
    with torch.no_grad():
        found = weight.grad[1, 2, 0, 1].item()
        weight[1, 2, 0, 1] += step
    up = penalty(critic, *arguments, **options).item()
    with torch.no_grad():
        weight[1, 2, 0, 1] -= 2 * step
    down = penalty(critic, *arguments, **options).item()
    assert found == pytest.approx((up - down) / (2 * step), rel=2e-2, abs=1e-5)


def test_same_under_autocast_and_no_grad_and_from_half_images() -> None:
    real, fake = (x.bfloat16().float() for x in images())
    mix = torch.full((4, 1, 1, 1), 0.5)
    critic = Critic()
    expected = gradient_penalty(critic, real, fake, mix=mix), r1_penalty(critic, real)
    with torch.autocast("cpu", torch.bfloat16):
        found = gradient_penalty(critic, real.bfloat16(), fake.bfloat16(), mix=mix), r1_penalty(critic, real)
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == torch.float32
        torch.testing.assert_close(a, b)
    with torch.no_grad():
        torch.testing.assert_close(r1_penalty(critic, real), expected[1])


def test_nothing_reaches_the_generator_and_flat_critics_are_finite() -> None:
    real, fake = images()
    fake.requires_grad_()
    gradient_penalty(Critic(), real, fake).backward()
    assert fake.grad is None
    critic = nn.Conv2d(3, 1, 1)
    nn.init.zeros_(critic.weight)
    gradient_penalty(critic, real, fake).backward()
    assert torch.isfinite(critic.weight.grad).all()


def test_random_mix_is_drawn_from_torchs_generator() -> None:
    real, fake = images()
    critic = Critic()
    torch.manual_seed(5)
    found = [gradient_penalty(critic, real, fake) for _ in range(2)]
    torch.manual_seed(5)
    again = [gradient_penalty(critic, real, fake, mix=torch.rand(4, 1, 1, 1)) for _ in range(2)]
    assert found == again
    assert found[0] != found[1]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_critic_that_turns_autocast_on_itself(dtype: torch.dtype) -> None:
    """As Accelerate's prepared models do; a fine map of logits must not underflow."""
    real, fake = (nn.functional.interpolate(x, size=(96, 96)) for x in images())
    critic = Critic()
    expected = r1_penalty(critic, real)

    def mixed(x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype):
            return critic(x)

    found = r1_penalty(mixed, real)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=0.03, atol=0.0)
    (found + gradient_penalty(mixed, real, fake)).backward()
    assert all(torch.isfinite(p.grad).all() for p in critic.parameters())


def _loss(critic: nn.Module, real: Tensor, fake: Tensor, mix: Tensor) -> Tensor:
    """A whole discriminator loss: two forwards, two penalties, one backward."""
    distance = critic(fake).mean() - critic(real).mean()
    return distance + 10 * gradient_penalty(critic, real, fake, mix=mix) + 5 * r1_penalty(critic, real)


def _worker(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.set_num_threads(1)
    critic = DistributedDataParallel(Critic())
    real, fake = images()
    mix = torch.tensor([0.1, 0.4, 0.6, 0.9]).view(4, 1, 1, 1)
    part = slice(2 * rank, 2 * rank + 2)
    _loss(critic, real[part], fake[part], mix[part]).backward()
    torch.save([p.grad for p in critic.parameters()], f"{folder}/grads{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_give_the_gradients_of_one(tmp_path: Path) -> None:
    mp.start_processes(_worker, args=(str(tmp_path),), nprocs=2, start_method="fork")  # imports nothing anew
    critic = Critic()
    real, fake = images()
    _loss(critic, real, fake, torch.tensor([0.1, 0.4, 0.6, 0.9]).view(4, 1, 1, 1)).backward()
    for rank in range(2):
        for found, parameter in zip(
            torch.load(tmp_path / f"grads{rank}.pt"), critic.parameters(), strict=True
        ):
            assert_near(found, parameter.grad, "gradient")
