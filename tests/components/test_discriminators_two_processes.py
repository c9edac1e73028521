"""Every registered discriminator in two processes: one loss of two forwards, one backward, equal ranks."""

from pathlib import Path

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from kornia_srgan.registry.catalog import ADVERSARIAL_LOSSES, DISCRIMINATORS
from tests.helpers.small_discriminators import small


def _worker(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
    torch.set_num_threads(1)
    states = {}
    for name in DISCRIMINATORS.names():
        torch.manual_seed(0)
        net = DistributedDataParallel(small(name).train(), broadcast_buffers=False)
        optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-3)
        loss = ADVERSARIAL_LOSSES.create("vanilla")
        generator = torch.Generator().manual_seed(rank)  # each rank has images of its own
        for _ in range(2):
            real, fake = torch.rand(2, 2, 3, 24, 24, generator=generator)
            optimizer.zero_grad()
            sum(loss.discriminator(net(real), net(fake))).backward()
            optimizer.step()
        states[name] = {k: p.detach() for k, p in net.module.named_parameters()}
    torch.save(states, f"{folder}/rank{rank}.pt")
    dist.destroy_process_group()


def test_ranks_stay_equal(tmp_path: Path) -> None:
    mp.start_processes(_worker, args=(str(tmp_path),), nprocs=2, start_method="fork")  # imports nothing anew
    first, second = (torch.load(tmp_path / f"rank{rank}.pt") for rank in range(2))
    assert sorted(first) == DISCRIMINATORS.names()
    for name, state in first.items():
        torch.manual_seed(0)
        start = dict(small(name).named_parameters())
        assert any(not torch.equal(value, start[key]) for key, value in state.items()), name
        for key, value in state.items():
            assert torch.isfinite(value).all(), (name, key)
            assert torch.equal(value, second[name][key]), (name, key)
