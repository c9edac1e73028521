"""`kornia-srgan train` as it is typed: its options, its dry run, its process."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from kornia_srgan.config.io import load_config
from kornia_srgan.training import run
from kornia_srgan.training.run import train
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.training import cpu_accelerator, make_photos, small_config

SHORT = ("--set", "stages.0.steps=4", "--set", "stages.1.steps=2", "--set", "train.log_every=2")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return make_photos(tmp_path / "photos")


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes when the process is told to keep its freed memory, and does not do it to the tests' process."""
    calls: list[str] = []
    monkeypatch.setattr("kornia_srgan.allocator.keep_freed_memory", lambda: calls.append("kept") or True)
    return calls


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, kept: list[str]) -> list[str]:
    """The command without the training: what it does, in order."""
    monkeypatch.setattr(run, "train", lambda *args, **kwargs: kept.append("trained") or True)
    return kept


def test_a_run_from_the_command_line(photos: Path, tmp_path: Path, kept: list[str], capsys: Any) -> None:
    output = tmp_path / "run"
    result = invoke(capsys, "train", "tiny", "--data", photos, "--output", output, *SHORT)
    assert (result.code, result.out) == (0, "")
    assert f"done: {output / 'generator.safetensors'}" in result.err
    logged = [json.loads(line)["total"] for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert logged == [2, 4, 6]
    again = invoke(capsys, "train", "tiny", "--data", photos, "--output", output, *SHORT)
    assert_user_error(again, "already holds a run; add --resume")
    config = load_config(str(output / "config.yaml"))
    assert [stage.steps for stage in config.stages] == [4, 2]  # the resolved recipe, readable again
    other = invoke(
        capsys, "train", output / "config.yaml", "--output", output, "--resume", "--set", "train.lr=1"
    )
    assert_user_error(other, "--resume: recipe.train.lr was 0.001", "is 1.0 now")


def test_a_run_among_its_photographs_is_resumed(
    photos: Path, kept: list[str], plots: None, capsys: Any, caplog: Any
) -> None:
    line = ("train", "tiny", "--data", photos, "--output", photos / "runs" / "tiny", *SHORT)
    assert invoke(capsys, *line).code == 0
    assert (photos / "runs" / "tiny" / "losses.png").is_file()
    assert invoke(capsys, *line, "--resume").code == 0  # with other data it would be refused
    assert "tiny (a training run)" in caplog.text


def test_the_commands_process_keeps_its_freed_memory_on_a_cpu(
    trained: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Before the first tensor of the run is made."""
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: False)
    assert invoke(capsys, "train", "tiny", "--data", "photos").code == 0
    assert trained == ["kept", "trained"]
    monkeypatch.setattr("sys.argv", ["train.py", "--config", "recipes/tiny.yaml", "--data", "photos"])
    assert runpy.run_module("kornia_srgan.train")["main"]() == 0
    assert trained == ["kept", "trained"] * 2


def test_with_a_gpu_it_does_not(trained: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    assert invoke(capsys, "train", "tiny", "--data", "photos").code == 0
    assert trained == ["trained"]
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    assert invoke(capsys, "train", "tiny", "--data", "photos").code == 0
    assert trained == ["trained", "kept", "trained"]


def test_the_library_leaves_the_process_alone(photos: Path, tmp_path: Path, kept: list[str]) -> None:
    config = small_config(data__folders=[str(photos)], stages__0__steps=1, stages__1__steps=1)
    assert train(config, tmp_path / "run", accelerator=cpu_accelerator())
    assert kept == []


def test_a_run_that_was_stopped_exits_like_an_interrupted_command(
    kept: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.setattr(run, "train", lambda *args, **kwargs: False)
    assert invoke(capsys, "train", "tiny", "--data", "photos").code == 130


@pytest.fixture
def dry(capsys: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """The output of a dry run, which leaves nothing behind."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        result = invoke(capsys, "train", *arguments, "--data", "photos", "--dry-run")
        assert (result.code, result.err) == (0, "")
        assert list(tmp_path.iterdir()) == []
        return result.out

    return call


def columns(out: str) -> list[list[str]]:
    """The table's rows, cut where two spaces stand; a stage's further lines begin at their own column."""
    table = out[out.index("stage ") :]
    return [re.split(r"\s{2,}", line.strip()) for line in table.splitlines() if line.strip()]


VGG = "stages.1.losses.0.args.extractor.args.weights=random"


def test_the_dry_run_of_the_paper(dry: Callable[..., str]) -> None:
    """Parameters as they are told of the paper's networks, steps and rates as its section 3.2 has them."""
    out = dry("srgan", "--set", VGG)
    rows = columns(out)
    assert rows[0] == ["stage", "steps", "networks", "losses", "memory", "learning rate at"]
    first = next(row for row in rows if row[0] == "srresnet")
    assert first[:4] == ["srresnet", "1,000,000", "G 1,547,350", "1 x mse"]
    assert first[5:] == ["0: 1.00e-04"]
    second = rows.index(next(row for row in rows if row[0] == "srgan"))
    assert rows[second][:4] == ["srgan", "200,000", "G 1,547,350", "1 x perceptual"]
    assert rows[second + 1][:2] == ["D 23,563,649", "0.001 x adversarial (vanilla)"]
    rates = [row[-1] for row in rows[second : second + 5]]
    assert rates == [
        "0: 1.00e-04", "50,000: 1.00e-04", "100,000: 1.00e-05", "149,999: 1.00e-05", "199,999: 1.00e-05",
    ]  # fmt: skip
    assert rows[-1] == ["1,200,000 steps, 19,200,000 crops of 96x96"]


def test_the_dry_run_prints_the_resolved_config(dry: Callable[..., str], tmp_path: Path) -> None:
    out = dry("tiny", "--set", "train.lr=5e-4", "--set", "stages.1.crop=64")
    resolved = out[: out.index("stage ")]
    expected = load_config("tiny", ["train.lr=5e-4", "stages.1.crop=64"], values={"data.folders": ["photos"]})
    (tmp_path / "printed.yaml").write_text(resolved)
    assert load_config(str(tmp_path / "printed.yaml")) == expected
    assert "360 steps, 2,880 crops of 48x48, then 64x64" in out


def memory_of(out: str, stage: str) -> float:
    row = next(row for row in columns(out) if row[0] == stage)
    found = re.fullmatch(r"about ([\d,]+) MiB", row[4])
    assert found, row
    return float(found[1].replace(",", ""))


def test_the_memory_estimate_follows_the_crops(dry: Callable[..., str]) -> None:
    """In a large batch it is the activations: in proportion to the batch and to the area of a crop."""

    def memory(*settings: str, stage: str = "psnr") -> float:
        flags = [word for setting in ("train.batch_size=800", *settings) for word in ("--set", setting)]
        return memory_of(dry("tiny", *flags), stage)

    plain = memory()
    assert plain > 50
    assert memory("train.batch_size=1600") == pytest.approx(2 * plain, rel=0.05)
    assert memory("data.crop=96") == pytest.approx(4 * plain, rel=0.05)
    assert memory("train.accumulate=4") == pytest.approx(plain / 4, rel=0.1)
    assert memory(stage="srgan") > plain


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("train.lrr=1", "train.lrr: unknown key; did you mean 'lr'?"),
        (
            "generator.args.num_block=1",
            "generator.args.num_block: unknown argument; did you mean 'num_blocks'?",
        ),
        ("train.optimizer.name=adamm", "train.optimizer.name: unknown 'adamm'; did you mean 'adam"),
        ("train.lr=fast", "train.lr"),
    ],
)
def test_what_is_wrong_shows_in_the_dry_run(setting: str, told: str, capsys: Any) -> None:
    result = invoke(capsys, "train", "tiny", "--data", "photos", "--set", setting, "--dry-run")
    assert_user_error(result, told)
