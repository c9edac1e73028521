"""`kornia-srgan doctor`: check the installation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from kornia_srgan.explain import one_line

Finding = tuple[str, str]

PACKAGES = (
    "torch",
    "torchvision",
    "kornia",
    "timm",
    "accelerate",
    "safetensors",
    "pillow",
    "numpy",
    "pydantic",
)


def command(
    *,
    self_test: Annotated[
        bool, typer.Option("--self-test/--no-self-test", help="Run a small network on each device.")
    ] = True,
) -> None:
    """Check the installation.

    Prints versions, devices, precisions, extras and plug-ins, and runs a short test on each device. Paste the
    output into a bug report. The exit code is 1 if the test fails.
    """
    sections = {
        "versions": list_versions,
        "devices": list_devices,
        "packaged weights": packaged_weights,
        "extras": list_extras,
        "plug-ins": list_plugins,
    }
    for heading, find in sections.items():
        _show(heading, find())
    if self_test:
        results = list(test_devices())
        _show("self test", iter(results))
        if any(text.startswith("FAILED") for _, text in results):
            raise typer.Exit(1)


def list_versions() -> Iterator[Finding]:
    """Versions of this package, Python, the system and the main dependencies."""
    import platform

    from kornia_srgan._version import __version__
    from kornia_srgan.environment import package_version

    yield "kornia_srgan", __version__
    yield "python", f"{platform.python_version()} on {platform.platform()}"
    for package in PACKAGES:
        yield package, package_version(package) or "missing"


def list_devices() -> Iterator[Finding]:
    """Every device with its memory and the precisions worth using."""
    import os

    import torch

    from kornia_srgan.engines.sessions import installed_engines
    from kornia_srgan.processor import instruction_set, usable_processors

    usable, threads = usable_processors(), torch.get_num_threads()
    yield "cpu", f"{os.cpu_count()} cores, {usable} usable, {threads} threads, precision {_cpu_precisions()}"
    yield "instructions", ", ".join(instruction_set()) or "not known"
    yield "dtype auto", _auto()
    yield "engines", ", ".join(["torch", *installed_engines()])
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        precisions = "fp32, fp16" + (", bf16" if torch.cuda.is_bf16_supported(False) else "")
        yield (
            f"cuda:{index}",
            f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB, precision {precisions}",
        )
    if not torch.cuda.device_count():
        yield "cuda", f"none (torch is built for {torch.version.cuda or 'no CUDA'})"
    if torch.backends.mps.is_available():
        yield "mps", "precision fp32, fp16"


def _cpu_precisions() -> str:
    import torch

    # Without AVX-512's bf16 products, bf16 is many times slower than fp32 on a CPU.
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return "fp32, bf16" if native else "fp32"


def _auto() -> str:
    from kornia_srgan.ops.measured import bfloat16_pays

    return (
        "convolutions in bfloat16, measured to be faster here"
        if bfloat16_pays()
        else "float32, measured to be faster"
    )


def packaged_weights() -> Iterator[Finding]:
    """The packaged weights, from their headers."""
    from kornia_srgan.weights.files import read_spec
    from kornia_srgan.weights.locate import locate_weights, zoo_names

    names = zoo_names()
    if not names:
        yield "none", "this installation has no packaged weights; give --weights PATH"
    for name in names:
        spec = read_spec(locate_weights(name))
        yield name, f"{spec.name} x{spec.scale}, {spec.license or 'no licence stated'}"


def list_extras() -> Iterator[Finding]:
    """The extras, and the packages that each is missing."""
    import re
    from importlib.metadata import PackageNotFoundError, distribution, requires

    from kornia_srgan.environment import install_command

    lacking: dict[str, list[str]] = {}
    try:
        requirements = requires("kornia_srgan") or []
    except PackageNotFoundError:
        yield "unknown", "kornia_srgan runs from a source tree that is not installed"
        return
    for requirement in requirements:
        extra = re.search(r"extra == ['\"]([\w-]+)['\"]", requirement)
        if extra:
            missing = lacking.setdefault(extra[1], [])
            package = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
            try:
                distribution(package)
            except PackageNotFoundError:
                missing.append(package)
    for extra, missing in lacking.items():
        state = f"lacks {', '.join(missing)}: {install_command(extra)}" if missing else "complete"
        yield extra, state


def list_plugins() -> Iterator[Finding]:
    """Installed plug-ins with their components, or the reason why they failed."""
    import warnings

    from kornia_srgan.registry.catalog import REGISTRIES
    from kornia_srgan.registry.entry import BUILTIN_SOURCE
    from kornia_srgan.registry.plugins import load_entry_points

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        load_entry_points()
    found: dict[str, list[str]] = {}
    for registry in REGISTRIES.values():
        for entry in registry.entries():
            if entry.source != BUILTIN_SOURCE:
                found.setdefault(entry.source, []).append(f"{registry.kind} {entry.name}")
    for source, names in found.items():
        yield source, ", ".join(names)
    for warning in caught:
        yield "FAILED", one_line(warning.message)
    if not found and not caught:
        yield "none", ""


def test_devices() -> Iterator[Finding]:
    """Run a small network forward and backward on each device and compare with the CPU."""
    import time

    import torch

    from kornia_srgan.registry.catalog import GENERATORS, RESIZERS

    torch.manual_seed(0)
    generator = GENERATORS.create("edsr", scale=4, channels=16, num_blocks=2)
    assert isinstance(generator, torch.nn.Module)
    image = torch.rand(1, 3, 96, 96)
    lr = RESIZERS.create("matlab_bicubic")(image, (24, 24))
    names = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    names += ["mps"] if torch.backends.mps.is_available() else []
    expected = generator(lr).detach()
    for name in names:
        start = time.perf_counter()
        try:
            module = generator.to(name)
            sr = module(lr.to(name))
            (sr - image.to(name)).abs().mean().backward()
            gap = (sr.detach().cpu() - expected).abs().max().item()
            seconds = time.perf_counter() - start
            verdict = "ok" if gap < 1e-2 else f"FAILED: differs from the CPU by {gap:.3g}"
            yield name, f"{verdict}, forward and backward in {seconds:.2f} s"
        except Exception as error:
            yield name, f"FAILED: {type(error).__name__}: {one_line(error)}"


def _show(heading: str, findings: Iterator[Finding]) -> None:
    typer.echo(heading)
    for name, text in findings:
        typer.echo(f"  {name:<14} {text}".rstrip())
