"""Training on streamed shards: exact on resuming, in one process and two; what cannot go together."""

from __future__ import annotations

import json
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from kornia_srgan.errors import ConfigError
from kornia_srgan.training.hooks import StepEvent, StepHook
from kornia_srgan.training.run import train
from kornia_srgan.weights.files import read_spec
from tests.helpers.bad_losses import lose_at
from tests.helpers.forked_ranks import die_at, run_two_ranks
from tests.helpers.numbered_shards import make_shards, serve_shards
from tests.helpers.runner import assert_user_error, invoke
from tests.helpers.runs import assert_resumes_to_the_same_bytes, assert_same_run
from tests.helpers.training import cpu_accelerator, killer, small_config

STREAM = {"data__cache": "auto", "data__workers": 0, "data__shuffle_buffer": 12}
LARGER_CROPS = {"stages__1__crop": 20, "stages__1__batch_size": 2}


def run(pattern: str, output: Path, *, resume: bool = False, on_step: StepHook = killer, **more: Any) -> bool:
    config = small_config(**{"data__shards": [pattern], **STREAM, **more})
    return train(config, output, resume=resume, accelerator=cpu_accelerator(), on_step=on_step)


@pytest.fixture
def pattern(tmp_path: Path) -> str:
    return make_shards(tmp_path / "shards", (4, 3, 4, 3))


def test_a_killed_run_resumes_to_the_same_bytes(pattern: str, tmp_path: Path, kill_at: Any) -> None:
    """In the first stage and in the second, whose crops and batches have another size."""
    small_run = partial(run, pattern, **LARGER_CROPS)
    assert_resumes_to_the_same_bytes(small_run, tmp_path, kill_at, 5, 9)
    training = read_spec(tmp_path / "whole/generator.safetensors").training
    assert training["data"] == ["s-{00..03}.tar"]
    assert "images" not in training
    again = partial(run, output=tmp_path / "whole", resume=True, **LARGER_CROPS)
    assert again(make_shards(tmp_path / "moved", (4, 3, 4, 3)))
    with pytest.raises(ConfigError, match=r"--resume: data\.fingerprint was"):
        again(pattern, data__shuffle_buffer=13)
    with pytest.raises(ConfigError, match=r"--resume: data\.(shards was 4|fingerprint was)"):
        again(make_shards(tmp_path / "other", (4, 3)))


def test_the_stream_goes_on_over_stages_and_back_after_bad_numbers(
    pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds: list[tuple[int, tuple[int, ...]]] = []

    def look(event: StepEvent) -> None:
        if event.result is None:
            seeds.append((event.progress.total, event.crops.seeds))

    run(pattern, tmp_path / "whole", on_step=look, **LARGER_CROPS)
    assert [total for total, _ in seeds] == list(range(12))
    drawn = [seed for _, own in seeds for seed in own]
    assert len(drawn) == len(set(drawn)) == 6 * 4 + 6 * 2
    whole = dict(seeds)
    seeds.clear()
    lose_at(monkeypatch, (5, 6))
    run(pattern, tmp_path / "faulty", on_step=look, **LARGER_CROPS)
    assert [total for total, _ in seeds] == [0, 1, 2, 3, 4, 5, *range(4, 12)]
    assert all(whole[total] == own for total, own in seeds)


def test_the_command_takes_addresses_of_shards(pattern: str, tmp_path: Path, capsys: Any) -> None:
    few = ["--set", "stages.0.steps=1", "--set", "stages.1.steps=1", "--set", "data.crop=16"]
    few += ["--set", "train.batch_size=2"]
    with serve_shards(tmp_path / "shards") as server:
        line = ["train", "tiny", "--data", f"{server.url}/s-{{00..03}}.tar", *few]
        result = invoke(capsys, *line, "-o", tmp_path / "run")
        assert result.code == 0, result.err
        wrong = ["train", "tiny", "--data", f"{server.url}/s-{{00..07}}.tar", *few, "-o", tmp_path / "b"]
        assert_user_error(invoke(capsys, *wrong), f"{server.url}/s-07.tar': there is no such file")
    out = ["-o", tmp_path / "b"]
    assert_user_error(
        invoke(capsys, *line, *out, "--data", tmp_path), "data: 'shards' are streamed", "cannot be mixed"
    )
    assert_user_error(
        invoke(capsys, *line, *out, "--set", "data.cache=ram"), "cache 'ram' must be none or auto"
    )
    assert_user_error(
        invoke(capsys, "train", "tiny", "--data", "https://host/a.tar?token=1", *out), "environment"
    )
    assert not (tmp_path / "b").exists()


@pytest.mark.slow
def test_two_processes_killed_and_resumed_end_with_the_same_bytes(tmp_path: Path) -> None:
    """On shards of a web server, fetched by a worker of each; killed in the second stage."""
    make_shards(tmp_path / "shards", (5, 4, 5, 4))
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    with serve_shards(tmp_path / "shards") as server:
        stream = {**STREAM, "data__workers": 1, "data__shards": [f"{server.url}/s-{{00..03}}.tar"]}
        config = small_config(**stream, stages__1__crop=20)
        assert run_two_ranks(lambda: train(config, whole)) == [0, 0]
        assert run_two_ranks(lambda: train(config, killed, on_step=die_at(9))) == [-signal.SIGKILL] * 2
        assert not (killed / "generator.safetensors").exists()
        assert run_two_ranks(lambda: train(config, killed, resume=True)) == [0, 0]
    assert_same_run(whole, killed)
    newest = sorted((whole / "checkpoints").iterdir())[-1]
    positions = json.loads((newest / "state.json").read_text())["positions"]
    assert [position["samples"] for position in positions] == [12 * 2, 12 * 2]
    assert server.url not in (newest / "state.json").read_text()
