"""Reference pages that are written from the code when the site is built, so that they cannot go stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
from pydantic import BaseModel

from kornia_srgan.cli.app import app
from kornia_srgan.config.io import load_config, recipe_names
from kornia_srgan.config.model import Component, TrainConfig
from kornia_srgan.markdown import markdown_table
from kornia_srgan.registry.catalog import REGISTRIES

API = {
    "Components by name": (
        "registry.registry",
        "registry.catalog",
        "contracts",
        "registry.plugins",
        "assembly",
    ),
    "Recipes": ("config.model", "config.io"),
    "Weights": ("weights.spec", "weights.files", "weights.locate", "weights.blend"),
    "Data": ("data.images", "data.source"),
    "Training": ("training.steps", "training.run", "training.trainer", "training.hooks"),
    "Upscaling": (
        "inference.upscaler",
        "inference.picture",
        "photos.photo",
        "photos.decode",
        "photos.encode",
    ),
    "Evaluation": (
        "evaluation.evaluate",
        "evaluation.protocols",
        "evaluation.metrics",
        "evaluation.datasets",
        "evaluation.report",
        "evaluation.statistics",
        "evaluation.latex",
        "evaluation.pareto",
        "evaluation.pictures",
    ),
    "Benchmarks": (
        "benchmarking.plan",
        "benchmarking.forward",
        "benchmarking.subjects",
        "benchmarking.engines",
        "benchmarking.schema",
        "benchmarking.compare",
    ),
    "Errors": ("errors",),
}


def write_reference(folder: Path) -> None:
    """Write all pages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    pages = {"cli": cli_page, "recipes": recipes_page, "components": components_page, "api": api_page}
    for name, page in pages.items():
        text = "\n".join(page()) + "\n"
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text("utf-8") != text:  # else Sphinx reads it anew each time
            path.write_text(text, "utf-8")


def cli_page() -> Iterator[str]:
    """Every command with its arguments and options."""
    group: Any = typer.main.get_command(app)
    context = typer.Context(group, info_name="kornia-srgan")
    yield "# Command line\n"
    yield "`kornia-srgan` and `python -m kornia_srgan` are the same. Exit codes: 0 for success, 2 for a"
    yield "mistake in the input that you can correct, 1 for a bug in kornia-srgan, 130 after Ctrl-C.\n"
    yield from _parameters(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield f"## {name}\n"
        yield f"{(command.help or '').strip()}\n"
        yield from _parameters(command)


def _parameters(command: Any) -> Iterator[str]:
    rows = []

    for parameter in command.params:
        option = parameter.param_type_name == "option"
        flags = [*parameter.opts, *parameter.secondary_opts]
        name = (
            ", ".join(f"`{flag}`" for flag in flags)
            if option
            else f"`{_cell(parameter.metavar or parameter.name)}`"
        )
        default = "required" if parameter.required else _shown_default(parameter)
        rows.append((name, default, _cell(getattr(parameter, "help", "") or "")))
    yield from _table(("option", "default", ""), rows)


def _shown_default(parameter: Any) -> str:
    default = parameter.default
    if default in (None, False, "", (), []) or callable(default):
        return ""
    return f"`{getattr(default, 'value', default)}`"


def recipes_page() -> Iterator[str]:
    """Every key of a recipe."""
    yield "# Recipes\n"
    yield "A recipe is YAML; `kornia-srgan train` takes a packaged one by name, or your own file. Unknown"
    yield "keys are errors. `--set train.lr=2e-4` and `--set stages.0.steps=1000` override any key.\n"
    yield "## Packaged\n"
    yield from _table(
        ("recipe", "", "stages"),
        [
            (f"`{name}`", _cell(config.summary), ", ".join(s.name for s in config.stages))
            for name in recipe_names()
            for config in [load_config(name)]
        ],
    )
    yield "## Keys\n"
    seen: list[type[BaseModel]] = []
    todo: list[tuple[str, type[BaseModel]]] = [("", TrainConfig)]
    while todo:
        path, model = todo.pop(0)
        if model in seen:
            continue
        seen.append(model)
        yield f"### {f'`{path}`' if path else 'The top'}\n"
        yield f"{(model.__doc__ or '').strip()}\n"
        rows = []
        for name, field in model.model_fields.items():
            inner = _model_in(field.annotation)
            if inner:
                todo.append((f"{path}.{name}".lstrip("."), inner))
            rows.append(
                (
                    f"`{name}`",
                    f"`{_type(field.annotation)}`",
                    _field_default(field),
                    _field_text(field, inner),
                )
            )
        yield from _table(("key", "type", "default", ""), rows)


def _field_default(field: Any) -> str:
    if field.is_required():
        return "required"
    default = field.get_default(call_default_factory=True)
    several = default if isinstance(default, tuple) else (default,)
    shown = [_default_text(value) for value in several]
    return f"`{_cell(', '.join(shown))}`" if any(shown) else ""


def _default_text(value: Any) -> str:
    if isinstance(value, Component):
        return value.name
    return "" if isinstance(value, BaseModel) or value in (None, {}) else str(value)


def _field_text(field: Any, inner: type[BaseModel] | None) -> str:
    text = field.description or ""
    return _cell(text or (f"See {inner.__name__} below." if inner else ""))


def _type(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(inner[0])
    if origin is Literal:
        return " or ".join(inner)
    if origin in (Union, UnionType):
        return " or ".join(_type(a) for a in inner)
    if origin is tuple:
        return f"list of {_type(inner[0])}"
    if origin is dict:
        return "mapping"
    return {NoneType: "none", Path: "path"}.get(annotation, annotation.__name__)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(inner) for inner in getattr(annotation, "__args__", ()))
    return next((model for model in found if model), None)


def components_page() -> Iterator[str]:
    """Every built-in component with its arguments."""
    yield "# Components\n"
    yield "The same as `kornia-srgan list` and `kornia-srgan describe KIND NAME`.\n"
    for kind, registry in REGISTRIES.items():
        yield f"## {kind}\n"
        for entry in registry.entries():
            described = registry.describe(entry.name)
            also = f" (also {', '.join(f'`{a}`' for a in described.aliases)})" if described.aliases else ""
            yield f"### `{described.name}`{also}\n"
            yield f"{described.summary}.{f' {described.paper}.' if described.paper else ''}\n"
            rows = [
                (f"`{p.name}`", f"`{_cell(p.annotation)}`", f"`{p.default}`" if p.default else "required")
                for p in described.parameters
            ]
            yield from _table(("argument", "type", "default"), rows)


def api_page() -> Iterator[str]:
    """The documented modules."""
    yield "# API\n"
    yield "What `from kornia_srgan import ...` gives, and the modules behind it.\n"
    for heading, names in API.items():
        yield f"## {heading}\n"
        for name in names:
            yield f"### `kornia_srgan.{name}`\n"
            yield f"```{{eval-rst}}\n.. automodule:: kornia_srgan.{name}\n   :members:\n```\n"


def _table(headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield markdown_table(headings, rows)


def _cell(text: str) -> str:
    return " ".join(text.split())
