"""The entries of a registry, and their descriptions. Standard library only."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")

BUILTIN_SOURCE = "kornia_srgan"
_source: ContextVar[str | None] = ContextVar("registration_source", default=None)


def registration_source() -> str | None:
    """The source set by `registering_from`, if any."""
    return _source.get()


@contextmanager
def registering_from(source: str) -> Iterator[None]:
    """Set the source (a file, a module or a distribution) of all registrations in this context."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def normalise_name(name: str) -> str:
    """The normalised spelling of a name: lower case with underscores."""
    return name.strip().lower().replace("-", "_")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One registered component.

    Attributes:
        name: The normalised name.
        target: The factory, or its import path `module:attribute` if it is imported on first use.
        aliases: Other names for it, normalised.
        summary: One-line description.
        paper: The reference, if any.
        source: Who registered it: this package, a plug-in's file or module, or a distribution.
    """

    name: str
    target: Callable[..., T] | str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    paper: str = ""
    source: str = BUILTIN_SOURCE

    def load(self) -> Callable[..., T]:
        """The factory, imported if needed."""
        if not isinstance(self.target, str):
            return self.target
        module, _, attribute = self.target.partition(":")
        return getattr(importlib.import_module(module), attribute)

    @property
    def factory_path(self) -> str:
        """The import path of the factory, as in `declare`; nothing is imported."""
        if isinstance(self.target, str):
            return self.target
        return f"{self.target.__module__}:{getattr(self.target, '__qualname__', repr(self.target))}"

    def parameters(self) -> Mapping[str, inspect.Parameter]:
        """The factory's parameters, with evaluated annotations if possible."""
        factory = self.load()
        try:
            return inspect.signature(factory, eval_str=True).parameters
        except NameError:  # an annotation that exists for type checkers only
            return inspect.signature(factory).parameters


@dataclass(frozen=True)
class ParameterDescription:
    """One argument of a component, in readable form."""

    name: str
    annotation: str
    default: str | None

    @property
    def required(self) -> bool:
        """Whether the argument has no default."""
        return self.default is None


@dataclass(frozen=True)
class Description:
    """The description of a component."""

    kind: str
    name: str
    aliases: tuple[str, ...]
    summary: str
    paper: str
    source: str
    factory: str
    doc: str
    parameters: tuple[ParameterDescription, ...]


def _annotation_text(annotation: Any) -> str:
    if annotation is inspect.Parameter.empty:
        return ""
    if isinstance(annotation, type) and not hasattr(annotation, "__args__"):
        return annotation.__name__
    return str(annotation).replace("typing.", "").replace("kornia_srgan.contracts.", "")


def describe_entry(kind: str, entry: Entry[Any]) -> Description:
    """Describe a component in readable form."""
    factory = entry.load()
    parameters = tuple(
        ParameterDescription(
            p.name,
            _annotation_text(p.annotation),
            None if p.default is inspect.Parameter.empty else repr(p.default),
        )
        for p in entry.parameters().values()
    )
    return Description(
        kind=kind,
        name=entry.name,
        aliases=entry.aliases,
        summary=entry.summary,
        paper=entry.paper,
        source=entry.source,
        factory=entry.factory_path.replace(":", "."),
        doc=inspect.getdoc(factory) or "",
        parameters=parameters,
    )
