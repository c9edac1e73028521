"""Training on pairs: turned together, exact on resuming, one process and two."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from kornia_srgan.components.transforms.augment import ColorJiggle, Dihedral
from kornia_srgan.components.transforms.mix import MixUp
from kornia_srgan.components.transforms.patches import FlatPatches
from kornia_srgan.components.transforms.resize import MatlabBicubic
from kornia_srgan.errors import ConfigError
from kornia_srgan.training.hooks import StepHook
from kornia_srgan.training.run import train
from kornia_srgan.training.steps import make_batch
from kornia_srgan.weights.files import read_spec
from tests.helpers.forked_ranks import die_at, run_two_ranks
from tests.helpers.pairs import make_pairs, make_shard
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.runs import assert_resumes_to_the_same_bytes, assert_same_run
from tests.helpers.tolerances import assert_near
from tests.helpers.training import cpu_accelerator, killer, make_photos, small_config


def squares(lr: torch.Tensor) -> torch.Tensor:
    return lr.repeat_interleave(4, -2).repeat_interleave(4, -1)


@pytest.fixture
def crops() -> tuple[torch.Tensor, torch.Tensor]:
    """HR `(6, 3, 16, 16)` that shows LR's pixels as squares."""
    lr = torch.randint(0, 256, (6, 3, 4, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return squares(lr), lr


def test_pairs_are_turned_and_coloured_together(crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    hr, lr = crops
    augmentations = (Dihedral(), ColorJiggle(p=1.0), MixUp(p=1.0), FlatPatches(p=1.0))
    batch = make_batch(
        hr, range(6), lr=lr, paired=range(6), scale=4, resizer=MatlabBicubic(), augmentations=augmentations
    )
    assert_near(batch.hr, squares(batch.lr), "elementwise")
    assert not torch.equal(batch.lr, lr / 255)
    turned = make_batch(
        hr, range(6), lr=lr, paired=range(6), scale=4, resizer=MatlabBicubic(), augmentations=(Dihedral(),)
    )
    assert torch.equal(turned.hr, squares(turned.lr))


def test_in_a_mixed_batch_each_image_gets_its_own_treatment(crops: tuple[torch.Tensor, torch.Tensor]) -> None:
    hr, lr = crops
    options: dict[str, Any] = {
        "scale": 4,
        "resizer": MatlabBicubic(),
        "augmentations": (Dihedral(), FlatPatches(p=1.0)),
        "degradation": lambda images, seeds, size: torch.full((len(images), 3, *size), 0.5),
    }
    mixed = make_batch(hr, range(6), lr=lr[[1, 4]], paired=(1, 4), **options)
    alone = make_batch(hr[[0, 2, 3, 5]], (0, 2, 3, 5), **options)
    pairs = make_batch(hr[[1, 4]], (1, 4), lr=lr[[1, 4]], paired=(0, 1), **options)
    assert torch.equal(mixed.hr, torch.cat((alone.hr, pairs.hr)))
    assert torch.equal(mixed.lr, torch.cat((alone.lr, pairs.lr)))
    assert (mixed.lr[:4] == 0.5).all()


def run(places: Any, output: Path, *, resume: bool = False, on_step: StepHook = killer, **more: Any) -> bool:
    config = small_config(**places, **more)
    return train(config, output, resume=resume, accelerator=cpu_accelerator(), on_step=on_step)


@pytest.fixture
def mixed(tmp_path: Path) -> dict[str, Any]:
    """Photographs and a shard of pairs, in a share of a half."""
    shard = make_shard(tmp_path, tmp_path / "shards" / "0.tar")
    return {
        "data__folders": [str(make_photos(tmp_path / "photos"))],
        "data__pairs": [{"hr": str(shard), "lr": str(shard)}],
    }


def test_a_killed_run_on_pairs_resumes_to_the_same_bytes(
    mixed: dict[str, Any], tmp_path: Path, kill_at: Any
) -> None:
    """In the second stage, whose crops are larger; other photographs and another share are refused."""
    small_run = partial(run, mixed, train__accumulate=2, stages__1__crop=24)
    assert_resumes_to_the_same_bytes(small_run, tmp_path, kill_at, 9)
    assert read_spec(tmp_path / "whole/generator.safetensors").training["data"] == [
        "photos",
        "0.tar with 0.tar",
    ]
    (tmp_path / "shards").rename(tmp_path / "moved")
    moved = {**mixed, "data__pairs": [{"hr": str(tmp_path / "moved"), "lr": str(tmp_path / "moved")}]}
    again = partial(run, output=tmp_path / "whole", resume=True, train__accumulate=2, stages__1__crop=24)
    assert again(moved)  # complete: it agrees and does nothing more
    for other in ({**moved, "data__pair_share": 0.25}, {"data__folders": mixed["data__folders"]}):
        with pytest.raises(ConfigError, match=r"--resume: data\.(fingerprint|images) was"):
            again(other)


def test_the_command_trains_on_pairs_and_says_what_is_not_for_them(tmp_path: Path, capsys: Any) -> None:
    hr, lr = make_pairs(tmp_path)
    short = ["--set", "stages.0.steps=2", "--set", "stages.1.steps=1", "--set", "data.crop=16"]
    short += ["--set", "data.augmentations=[dihedral,flat_patches]", "--set", "data.degradation=mild"]
    line = ["train", "tiny", "--hr", hr, "--lr", lr, "-o", tmp_path / "run", *short]
    result = invoke(capsys, *line)
    assert result.code == 0, result.err
    told = "pairs bring their own LR images, so not for them: augmentation flat_patches, degradation mild"
    assert told in result.err
    (lr / "2x4.png").unlink()
    assert_user_error(invoke(capsys, *line[:6], "-o", tmp_path / "b", *short), "has no LR image", "HR/2.png")
    assert_user_error(invoke(capsys, *line[:4], "-o", tmp_path / "b"), "--hr was given 1 times and --lr 0")
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_two_processes_killed_and_resumed_end_with_the_same_bytes(
    mixed: dict[str, Any], tmp_path: Path
) -> None:
    """On photographs and on pairs out of a shard, decoded by workers; killed in the second stage."""
    config = small_config(**mixed, data__cache="none", data__workers=1)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert run_two_ranks(lambda: train(config, whole)) == [0, 0]
    assert run_two_ranks(lambda: train(config, killed, on_step=die_at(9))) == [-signal.SIGKILL] * 2
    assert not (killed / "generator.safetensors").exists()
    assert run_two_ranks(lambda: train(config, killed, resume=True)) == [0, 0]
    assert_same_run(whole, killed)
