"""A real distribution with an entry point, installed by pip into a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.distributions import make_distribution
from tests.helpers.launches import PATIENCE
from tests.helpers.training import make_photos

EXAMPLE = Path(__file__).with_name("plugin_example")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Beside the packages of this environment the example, and one that cannot be imported."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", str(site), str(EXAMPLE)], check=True)
    make_distribution(
        site, "kornia-srgan-broken", "kornia_srgan_broken", "import a_package_that_is_not_there\n"
    )
    repository = Path(__file__).parents[1]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(repository), str(site)]), "OMP_NUM_THREADS": "1"}


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE
    )


def test_list_names_the_distribution_and_a_broken_plugin_breaks_nothing(environment: dict[str, str]) -> None:
    done = run(environment, "-m", "kornia_srgan", "list", "--source")
    assert done.returncode == 0, done.stderr
    for name in ("example_generator", "example_discriminator", "example_loss", "example_augmentation"):
        line = next(line for line in done.stdout.splitlines() if name in line)
        assert "kornia-srgan-example" in line
    assert "srresnet" in done.stdout
    assert "kornia-srgan-broken" in done.stderr
    assert "a_package_that_is_not_there" in done.stderr


def test_it_trains(environment: dict[str, str], tmp_path: Path) -> None:
    settings = {
        "generator": "example_generator",
        "stages.0.losses": "[example_loss]",
        "stages.1.discriminator": "example_discriminator",
        "data.augmentations": "[dihedral, example_augmentation]",
        "stages.0.steps": "4",
        "stages.1.steps": "4",
        "train.log_every": "1",
    }
    overrides = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]
    photos = make_photos(tmp_path / "photos")
    output = tmp_path / "run"
    done = run(
        environment,
        "-m",
        "kornia_srgan",
        "train",
        "tiny",
        "--data",
        str(photos),
        "--output",
        str(output),
        *overrides,
    )
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert "example_loss" in lines[0]
    assert "d_true" in lines[-1]
    described = run(
        environment,
        "-c",
        "import sys; from kornia_srgan.assembly import load_generator as load\n"
        f"loaded = load({str(output / 'generator.safetensors')!r})\n"
        "print(type(loaded.module).__name__, loaded.spec.plugin)",
    )
    assert described.stdout.split() == ["ExampleGenerator", "kornia-srgan-example"], described.stderr
