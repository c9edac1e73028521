"""Enlarging a file and reading the result with programs that are not ours."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kornia_srgan.batch.jobs import Job
from kornia_srgan.batch.run import run_job
from kornia_srgan.inference.upscaler import Upscaler
from kornia_srgan.photos.formats import WriteOptions, format_of
from tests.helpers.generators import Nearest

UPSCALER = Upscaler(Nearest(2), device="cpu")


def enlarge(source: Path, target: Path, options: WriteOptions | None = None) -> tuple[str, ...]:
    """Enlarge a file twofold; the notes on what could not be kept."""
    outcome = run_job(Job(source, target, format_of(target), "in"), UPSCALER, options or WriteOptions())
    assert outcome.status == "done", outcome.error
    return outcome.notes


def exiftool(path: Path, *options: str) -> dict[str, Any]:
    """What exiftool reads in a file, by groups; without exiftool the test is skipped."""
    if shutil.which("exiftool") is None:
        pytest.skip("needs exiftool, which is not installed (Debian: libimage-exiftool-perl)")
    command = ["exiftool", "-j", "-n", "-G1", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)[0]
