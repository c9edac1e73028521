"""A real distribution with an entry point, installed by pip into a folder of its own."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kornia_srgan.assembly import load_generator
from kornia_srgan.cli.app import run_command_line
from kornia_srgan.registry.plugins import load_entry_points
from tests.helpers.distributions import make_distribution
from tests.helpers.forked_ranks import PATIENCE, exit_code, start
from tests.helpers.training import make_photos

EXAMPLE = Path(__file__).with_name("plugin_example")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Beside the packages of this environment the example, and one that cannot be imported."""
    site = tmp_path_factory.mktemp("site")
    pip = [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, "--target", str(site), str(EXAMPLE)], check=True)
    make_distribution(
        site, "kornia-srgan-broken", "kornia_srgan_broken", "import a_package_that_is_not_there\n"
    )
    return site


def test_list_names_the_distribution_and_a_broken_plugin_breaks_nothing(site: Path) -> None:
    repository = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-m", "kornia_srgan", "list", "--source"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(repository), str(site)])},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    for name in ("example_generator", "example_discriminator", "example_loss", "example_augmentation"):
        line = next(line for line in done.stdout.splitlines() if name in line)
        assert "kornia-srgan-example" in line
    assert "srresnet" in done.stdout
    assert "kornia-srgan-broken" in done.stderr
    assert "a_package_that_is_not_there" in done.stderr


def with_the_site(site: Path, work: Callable[[], object]) -> int:
    """The exit code of a process that does `work` with the packages of `site`; this one never sees them."""

    def there() -> object:
        sys.path.append(str(site))
        importlib.invalidate_caches()
        load_entry_points.cache_clear()  # this process may have looked for plug-ins already
        return work()

    return exit_code(start(there))


def test_it_trains(site: Path, tmp_path: Path) -> None:
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
    output, told = tmp_path / "run", tmp_path / "told.json"
    line = ["train", "tiny", "--data", str(photos), "--output", str(output), *overrides]
    assert with_the_site(site, lambda: run_command_line(line)) == 0
    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert "example_loss" in lines[0]
    assert "d_true" in lines[-1]

    def load() -> None:
        loaded = load_generator(output / "generator.safetensors")
        told.write_text(json.dumps([type(loaded.module).__name__, loaded.spec.plugin]))

    assert with_the_site(site, load) == 0
    assert json.loads(told.read_text()) == ["ExampleGenerator", "kornia-srgan-example"]
