import os
import subprocess
import sys

import pytest

from kornia_srgan.errors import ArgumentError
from kornia_srgan.processor import instruction_set, processor_name, set_threads, usable_processors


@pytest.fixture
def eight(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)


def group(tmp_path, line, files):
    own = tmp_path / "own"
    own.write_text(line)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return {"root": tmp_path, "own_group": own}


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/", {}, 8),
        ("0::/", {"cpu.max": "max 100000"}, 8),
        ("0::/", {"cpu.max": "150000 100000"}, 2),
        ("0::/a/b", {"a/cpu.max": "300000 100000", "a/b/cpu.max": "max 100000"}, 3),
        ("0::/outside", {"cpu.max": "10000 100000"}, 1),
        ("4:cpu,cpuacct:/x", {"cpu,cpuacct/x/cpu.cfs_quota_us": "400000",
                              "cpu,cpuacct/x/cpu.cfs_period_us": "100000"}, 4),
        ("4:cpu:/x", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 8),
        ("0::/", {"cpu.max": "1600000 100000"}, 8),
        ("broken", {"cpu.max": "what"}, 8),
    ],
)  # fmt: skip
def test_containers(line, files, expected, tmp_path, eight):
    assert usable_processors(**group(tmp_path, line, files)) == expected


def test_affinity_counts(tmp_path, eight, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 5}, raising=False)
    assert usable_processors(tmp_path, tmp_path / "none") == 2
    environ: dict[str, str] = {}
    monkeypatch.setitem(sys.modules, "torch", None)
    set_threads(None, environ)
    assert environ["OMP_NUM_THREADS"] == "2"


def test_what_the_user_says_stays(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    environ = {"OMP_NUM_THREADS": "3", "GOMP_SPINCOUNT": "7"}
    set_threads(None, environ)
    assert environ["OMP_NUM_THREADS"] == "3"
    assert environ["GOMP_SPINCOUNT"] == "7"
    set_threads(5, environ)
    assert environ["OMP_NUM_THREADS"] == "5"
    environ = {"OMP_WAIT_POLICY": "active"}
    set_threads(1, environ)
    assert "GOMP_SPINCOUNT" not in environ


def test_less_than_one_is_refused():
    with pytest.raises(ArgumentError, match="threads"):
        set_threads(0, {})


def test_the_command_line_settles_it_before_torch_comes():
    code = (
        "import sys, os; from kornia_srgan.cli.app import run_command_line; "
        "run_command_line(['upscale', 'none.png', '-o', 'x', '--threads', '1']); "
        "import torch; print(torch.get_num_threads(), os.environ['GOMP_SPINCOUNT'])"
    )
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("OMP", "GOMP"))}
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, env=environ
    )
    assert done.stdout.split() == ["1", "1000"], done.stderr


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("flags\t\t: fpu avx2 amx_bf16 avx512f", ["AVX2", "AVX-512", "AMX BF16"]),
        ("Features\t: fp asimd sve", ["NEON", "SVE"]),
        ("model name\t: avx2", []),
    ],
)
def test_instructions_are_named_as_their_makers_do(monkeypatch, line, names):
    monkeypatch.setattr("kornia_srgan.processor._text", lambda path: f"processor\t: 0\n{line}\n")
    assert instruction_set() == names


def test_the_name_of_the_processor_is_the_systems(monkeypatch):
    monkeypatch.setattr("kornia_srgan.processor._text", lambda path: "model name\t: Abacus 9\n")
    assert processor_name() == "Abacus 9"
    monkeypatch.setattr("kornia_srgan.processor._text", lambda path: "")
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    assert processor_name() == "riscv64"
