"""Checks a component's arguments against its signature, names first, then types."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from kornia_srgan.config.io import problem_in_words
from kornia_srgan.errors import ArgumentError, close_match
from kornia_srgan.registry.entry import Entry

_ANY_TYPE = ConfigDict(arbitrary_types_allowed=True)


def check_names(kind: str, entry: Entry[Any], arguments: Mapping[str, Any], *, path: str = "") -> None:
    """Raise `ArgumentError` unless the factory takes arguments of exactly these names."""
    parameters = entry.parameters()
    prefix = f"{path}.args" if path else f"{kind} '{entry.name}'"
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
    known = [n for n, p in parameters.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
    for name in arguments:
        if name not in known and not takes_any:
            separator = "." if path else ": "
            match = close_match(name, known)
            hint = f"did you mean '{match}'?" if match else f"known: {', '.join(known) or 'none'}"
            raise ArgumentError(
                f"{prefix}{separator}{name}: unknown argument; {hint}",
                where=f"{prefix}.{name}" if path else name,
            )
    for name in known:
        if parameters[name].default is inspect.Parameter.empty and name not in arguments:
            raise ArgumentError(
                f"{prefix}: required argument '{name}' of '{entry.name}' is missing",
                where=prefix if path else name,
            )


def check_types(entry: Entry[Any], arguments: Mapping[str, Any], *, path: str) -> dict[str, Any]:
    """Convert the arguments to the types of the signature (a YAML list to a tuple, 1 to 1.0).

    Raises:
        ArgumentError: Names the argument's path, its value and what would be right.
    """
    parameters = entry.parameters()
    converted = dict(arguments)
    for name, value in arguments.items():
        annotation = parameters[name].annotation if name in parameters else Any
        if annotation is inspect.Parameter.empty or isinstance(annotation, str):
            continue
        try:
            adapter: TypeAdapter[Any] = TypeAdapter(annotation, config=_ANY_TYPE)
        except Exception:  # a type pydantic knows nothing about is the component's own to check
            continue
        try:
            converted[name] = adapter.validate_python(value)
        except ValidationError as error:
            raise ArgumentError.at(f"{path}.{name}", f"{_in_one_clause(error)}, got {value!r}") from None
    return converted


def _in_one_clause(error: ValidationError) -> str:
    """The problem in one clause; for a union, what each member would take."""
    messages = dict.fromkeys(
        problem_in_words(p).removeprefix("Input ") for p in error.errors(include_url=False)
    )
    return " or ".join(messages)


def recorded_arguments(entry: Entry[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """All arguments including defaults, for the header of a weight file.

    Defaults are stored too, so that changing one later does not change the meaning of existing files.
    """
    defaults = {
        name: p.default
        for name, p in entry.parameters().items()
        if p.default is not inspect.Parameter.empty and p.kind is not p.VAR_KEYWORD
    }
    merged = defaults | dict(arguments)
    merged.pop("scale", None)  # has its own place in the header
    if merged.get("bands") == 3:  # as in files of before there were others, which these are mixed with
        del merged["bands"]
    try:
        return json.loads(json.dumps(merged))
    except TypeError as error:
        raise ArgumentError(
            f"{entry.name}: an argument cannot be kept in a weight file: {error}", where=entry.name
        ) from None
