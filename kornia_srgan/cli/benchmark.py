"""`kornia-srgan benchmark`: measure generators on this machine and compare engines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from kornia_srgan.atomic import write_bytes, write_text
from kornia_srgan.cli.options import (
    DeviceOption,
    JsonOption,
    MarkdownOption,
    PluginOption,
    ThreadsOption,
    check_writable,
    console,
    print_table,
)

if TYPE_CHECKING:
    from kornia_srgan.benchmarking.schema import ForwardDocument


def command(
    *,
    generator: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:ARG=VALUE,...]",
            help="Untrained generator; repeatable [default: all, if --weights is missing]",
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(help="Packaged name or .safetensors file; repeatable."),
    ] = None,
    scale: Annotated[int, typer.Option(min=1, help="Scale of untrained generators.")] = 4,
    size: Annotated[
        list[str] | None,
        typer.Option(metavar="SIDE|HxW", help="Size of the LR input; repeatable [default: 128]"),
    ] = None,
    batch: Annotated[
        list[int] | None, typer.Option(min=1, help="Batch size; repeatable [default: 1]")
    ] = None,
    dtype: Annotated[
        list[str] | None, typer.Option(help="fp32, bf16, fp16, auto; repeatable [default: fp32]")
    ] = None,
    memory_format: Annotated[
        list[str] | None,
        typer.Option(help="channels-last, contiguous; repeatable [default: channels-last]"),
    ] = None,
    compiled: Annotated[bool, typer.Option("--compile", help="Use torch.compile.")] = False,
    optimized: Annotated[
        bool,
        typer.Option("--optimize/--no-optimize", help="Optimize the generator, as upscale does."),
    ] = True,
    engine: Annotated[
        str,
        typer.Option(
            metavar="ENGINE",
            help="What kornia_srgan computes with, as in upscale: torch, onnxruntime, openvino, auto.",
        ),
    ] = "torch",
    against: Annotated[
        list[str] | None,
        typer.Option(help="Engine to compare with: eager, onnxruntime, openvino, spandrel; repeatable."),
    ] = None,
    repeats: Annotated[int, typer.Option(min=1, help="Measured forward passes of each engine.")] = 7,
    device: DeviceOption = "auto",
    json_file: JsonOption = None,
    plot: Annotated[Path | None, typer.Option(help="Plot the speeds to this PNG.")] = None,
    compare: Annotated[
        Path | None,
        typer.Option(metavar="OLD.json", help="Compare with an earlier --json of this machine."),
    ] = None,
    markdown: MarkdownOption = False,
    threads: ThreadsOption = None,
    plugin: PluginOption = None,
) -> None:
    """Measure the speed and memory of generators and compare engines.

    The exit code is 1 if kornia-srgan failed on a case. Failures of other engines are only reported.
    """
    from kornia_srgan.allocator import keep_freed_memory
    from kornia_srgan.benchmarking.engines import find_engines
    from kornia_srgan.benchmarking.forward import run_forward
    from kornia_srgan.benchmarking.plan import Plan
    from kornia_srgan.benchmarking.schema import OURS, read_forward
    from kornia_srgan.benchmarking.subjects import find_subjects, parse_size
    from kornia_srgan.engines.sessions import check_engine
    from kornia_srgan.errors import UserError
    from kornia_srgan.optimize.device import pick_device, pick_dtype
    from kornia_srgan.registry.plugins import load_plugins

    if plot and plot.suffix.lower() != ".png":
        raise UserError(f"--plot {plot}: the plot is a PNG; name it .png", where=plot)
    for file in (json_file, plot):
        if file:
            check_writable(file)
    engines = find_engines(against or ())
    old = read_forward(compare) if compare else None
    load_plugins(plugin or ())
    plan = Plan(
        sizes=[parse_size(text) for text in size or ["128"]],
        batches=batch or [1],
        dtypes=dtype or ["float32"],
        memory_formats=[_memory_format(text) for text in memory_format or ["channels-last"]],
        compiled=compiled,
        optimized=optimized,
        engine=engine,
        repeats=repeats,
    )
    for name in plan.dtypes:
        pick_dtype(name)
    check_engine(engine)
    subjects = find_subjects(generator or (), weights or (), scale=scale)
    where = pick_device(device)
    keep_freed_memory()  # as upscale does
    with console(stderr=True).status("measuring") as status:
        document = run_forward(subjects, plan, engines=engines, device=where, progress=status.update)
    _print(document, markdown=markdown)  # first: a full disk must not take the figures away
    if json_file:
        write_text(json_file, document.model_dump_json(by_alias=True, indent=1) + "\n")
    if plot:
        _plot(document, plot)
    if old is not None:
        _print_changes(old, document, str(compare), markdown=markdown)
    if any(r.engine == OURS and r.status == "failed" for case in document.cases for r in case.runs):
        raise typer.Exit(1)


def _memory_format(text: str) -> Any:
    from kornia_srgan.errors import UserError

    name = text.replace("-", "_")
    if name not in ("channels_last", "contiguous"):
        raise UserError(
            f"memory format '{text}' is not known; use channels-last or contiguous", where="--memory-format"
        )
    return name


def _plot(document: ForwardDocument, path: Path) -> None:
    from kornia_srgan.benchmarking.plot import plot_png

    write_bytes(path, plot_png(document))


def _print(document: ForwardDocument, *, markdown: bool) -> None:
    from kornia_srgan.benchmarking import tables

    _table(tables.HEADINGS, tables.table_rows(document), tables.table_notes(document), markdown=markdown)


def _print_changes(old: ForwardDocument, new: ForwardDocument, source: str, *, markdown: bool) -> None:
    from kornia_srgan.benchmarking import compare

    reason = compare.why_not_comparable(old, new)
    if reason:
        typer.echo(f"warning: {source} is not compared, it was measured elsewhere: {reason}", err=True)
        return
    note = (
        f"MP/s before: {source}, {old.date:%Y-%m-%d}, torch {old.machine['torch']} {old.machine['revision']}"
    )
    _table(compare.HEADINGS, compare.change_rows(compare.find_changes(old, new)), [note], markdown=markdown)


def _table(
    headings: Sequence[str], rows: Iterable[tuple[str, ...]], notes: list[str], *, markdown: bool
) -> None:
    from kornia_srgan.markdown import markdown_table

    if markdown:
        typer.echo(markdown_table(headings, rows, notes), nl=False)
    else:
        print_table(headings, rows, notes)
