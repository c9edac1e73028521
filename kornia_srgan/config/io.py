"""Reads, overrides and writes configs; every error names the key and what would be right."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from kornia_srgan.config.model import TrainConfig
from kornia_srgan.errors import ConfigError, did_you_mean


def recipe_names() -> list[str]:
    """The names of the packaged recipes."""
    folder = files("kornia_srgan") / "recipes"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def load_config(
    source: str | Path, overrides: Iterable[str] = (), *, values: Mapping[str, Any] | None = None
) -> TrainConfig:
    """Read a recipe and check it.

    Args:
        source: A packaged recipe's name (`srgan`) or the path of a YAML file.
        overrides: `key=value` strings with dotted keys and YAML values: `train.lr=2e-4`,
            `stages.0.steps=100`. They are checked like the file.
        values: Python values under dotted keys, set after the overrides: `{"data.folders": ["photos"]}`.

    Raises:
        ConfigError: For a missing file, broken YAML, or a wrong key or value, with its path.
    """
    raw = _read(source)
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ConfigError.at(f"--set {override}", "expected key=value, such as train.lr=2e-4")
        _set(raw, key.strip(), _parse_value(value, f"--set {override}"))
    for key, value in (values or {}).items():
        _set(raw, key, deepcopy(value))  # a later key may lie within it
    return parse_config(raw, str(source))


def parse_config(raw: Mapping[str, Any], source: str = "config") -> TrainConfig:
    """Check a mapping and turn it into a config; errors start with `source`."""
    try:
        return TrainConfig.model_validate(dict(raw))
    except ValidationError as error:
        raise ConfigError.at(source, _explain(error)) from None


def dump_config(config: TrainConfig) -> str:
    """The config as YAML that `load_config` reads back to an equal one."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


class _Loader(yaml.SafeLoader):
    """YAML 1.1 reads 1e-4 as a string; people and Python read a number."""


_Loader.yaml_implicit_resolvers = {k: list(v) for k, v in yaml.SafeLoader.yaml_implicit_resolvers.items()}
_float = re.compile(r"^[-+]?(\d[\d_]*)(\.\d*)?[eE][-+]?\d+$")
for _first in "-+0123456789":
    _Loader.yaml_implicit_resolvers.setdefault(_first, []).insert(0, ("tag:yaml.org,2002:float", _float))


def _parse_value(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError:
        raise ConfigError.at(where, "the value is not YAML") from None


def _read(source: str | Path) -> dict[str, Any]:
    path = Path(source)
    if path.suffix not in (".yaml", ".yml"):
        names = recipe_names()
        if str(source) not in names:
            raise ConfigError(
                f"unknown recipe '{source}'{did_you_mean(str(source), names) or ';'} "
                f"packaged: {', '.join(names)}; or give the path of a .yaml file",
                where=source,
            )
        text = (files("kornia_srgan") / "recipes" / f"{source}.yaml").read_text("utf-8")
    elif path.is_file():
        text = path.read_text("utf-8")
    elif path.stem in recipe_names() and str(path.parent) in (".", "recipes"):
        return _read(path.stem)  # `recipes/srgan.yaml` names the packaged one from anywhere
    else:
        raise ConfigError(
            f"config file not found: {path}; packaged recipes: {', '.join(recipe_names())}", where=path
        )
    try:
        raw = yaml.load(text, Loader=_Loader)  # a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"{source}:{line} is not valid YAML: {getattr(error, 'problem', error)}", where=source
        ) from None
    if not isinstance(raw, dict):
        raise ConfigError.at(source, "expected keys such as 'generator:' and 'stages:', found none")
    return raw


def _set(raw: dict[str, Any], dotted: str, value: Any) -> None:
    """Put a value at `a.b.0.c`, making the mappings that are not there yet."""
    keys = dotted.split(".")
    node: Any = raw
    for depth, key in enumerate(keys):
        here = ".".join(keys[: depth + 1])
        last = depth == len(keys) - 1
        if isinstance(node, list):
            if not key.isdigit() or int(key) >= len(node):
                raise ConfigError.at(f"--set {dotted}", f"{here} must be an index from 0 to {len(node) - 1}")
            index: Any = int(key)
        elif isinstance(node, dict):
            index = key
        else:
            raise ConfigError.at(f"--set {dotted}", f"{'.'.join(keys[:depth])} is a value, not a section")
        if last:
            node[index] = value
        else:
            if isinstance(node, dict) and node.get(index) is None:
                node[index] = {}
            elif isinstance(node[index], str):
                node[index] = {"name": node[index]}  # the short form of a component
            node = node[index]


_PLAIN = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
}


def problem_in_words(problem: Mapping[str, Any]) -> str:
    """What is wrong with a value, without pydantic's wording."""
    return _PLAIN.get(problem["type"]) or problem["msg"]


def _explain(error: ValidationError) -> str:
    """The first problem, with its path and the key that was probably meant."""
    # A misspelt key often makes another one missing: it is the one to tell.
    problem = min(error.errors(include_url=False), key=lambda p: p["type"] != "extra_forbidden")
    path = [str(p) for p in problem["loc"] if not str(p).startswith("function-")]
    more = error.error_count() - 1
    also = f" (and {more} more)" if more else ""
    where = ".".join(path)
    if problem["type"] == "extra_forbidden":
        known = _fields_at(TrainConfig, path[:-1])
        hint = did_you_mean(path[-1], known)
        return f"{where}: unknown key{hint or '; known: ' + ', '.join(known)}{also}"
    if problem["type"] == "missing":
        return f"{where}: required key is missing{also}"
    message = problem_in_words(problem).removeprefix("Value error, ")
    given = problem.get("input")
    shown = f", got {given!r}" if isinstance(given, str | int | float | bool) else ""
    return f"{where + ': ' if where else ''}{message}{shown}{also}"


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    """The keys that a config has at a path."""
    for key in path:
        if key.isdigit():
            continue
        found = _model_in(model.model_fields[key].annotation) if key in model.model_fields else None
        if found is None:
            return []
        model = found
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
