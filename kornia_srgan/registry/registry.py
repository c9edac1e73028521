"""Named components: `Registry` and its frozen `Entry`. Standard library only.

A registry maps a name to a factory (a class or a function whose parameters are keyword-only and annotated).
Built-in components are declared by their import path and imported when first used, so that listing them
costs no torch import; everybody else registers with a decorator.
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kornia_srgan.errors import (
    ArgumentError,
    DuplicateComponentError,
    UnknownComponentError,
    close_match,
    did_you_mean,
)

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

BUILTIN_SOURCE = "kornia_srgan"
_source: ContextVar[str | None] = ContextVar("registration_source", default=None)


@contextmanager
def registering_from(source: str) -> Iterator[None]:
    """Name the source (a file, a module or a distribution) of all registrations made inside."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def normalise(name: str) -> str:
    """The one spelling under which a name is kept: lower case, underscores."""
    return name.strip().lower().replace("-", "_")


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One registered component.

    Attributes:
        name: The normalised name.
        target: The factory, or its import path `module:attribute` for one that is imported on first use.
        aliases: Other names for it, normalised.
        summary: One line about it.
        paper: The reference it follows, if any.
        source: Where it came from: this package, a plug-in's file or module, or a distribution.
    """

    name: str
    target: Callable[..., T] | str
    aliases: tuple[str, ...] = ()
    summary: str = ""
    paper: str = ""
    source: str = BUILTIN_SOURCE

    def load(self) -> Callable[..., T]:
        """The factory itself, imported if need be."""
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
        """The factory's parameters, with their annotations evaluated where that is possible."""
        factory = self.load()
        try:
            return inspect.signature(factory, eval_str=True).parameters
        except NameError:  # an annotation that exists for type checkers only
            return inspect.signature(factory).parameters


@dataclass(frozen=True)
class ParameterDescription:
    """One argument of a component, for people to read."""

    name: str
    annotation: str
    default: str | None

    @property
    def required(self) -> bool:
        """Whether the argument has no default."""
        return self.default is None


@dataclass(frozen=True)
class Description:
    """What `describe` knows about a component."""

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
    return str(annotation).replace("typing.", "")


@dataclass
class Registry(Generic[T]):
    """A catalogue of one kind of component.

    Args:
        kind: What the registry holds, in the singular; used in messages.
        discover: Called once, on the first name that misses, to load plug-ins.

    Example:
        >>> from kornia_srgan.registry.registry import Registry
        >>> greeters = Registry("greeter")
        >>> @greeters.register("polite", aliases=("kind",), summary="says please")
        ... def polite(*, name: str = "you"):
        ...     return f"please, {name}"
        >>> greeters.create("Kind", name="Ada")
        'please, Ada'
    """

    kind: str
    discover: Callable[[], None] | None = None
    _entries: dict[str, Entry[T]] = field(default_factory=dict)  # by name and by every alias

    def register(
        self,
        name: str,
        *,
        aliases: tuple[str, ...] = (),
        summary: str = "",
        paper: str = "",
        override: bool = False,
    ) -> Callable[[F], F]:
        """A decorator that registers a class or function and returns it unchanged.

        Args:
            name: The name; case and `-`/`_` do not matter.
            aliases: Other names, committed together with `name` or not at all.
            summary: One line; by default the first line of the docstring.
            paper: The reference.
            override: Replace what is there. Without it a name that is taken raises.

        Raises:
            DuplicateComponentError: If one of the names is taken.
        """

        def decorate(factory: F) -> F:
            doc = inspect.getdoc(factory) or ""
            self.add(
                Entry(
                    name=normalise(name),
                    target=factory,
                    aliases=tuple(normalise(a) for a in aliases),
                    summary=summary or doc.partition("\n")[0],
                    paper=paper,
                    source=_source.get() or factory.__module__,
                ),
                override=override,
            )
            return factory

        return decorate

    def declare(
        self, name: str, target: str, *, aliases: tuple[str, ...] = (), summary: str, paper: str = ""
    ) -> None:
        """Add a built-in by its import path `module:attribute`; nothing is imported now."""
        names = tuple(normalise(a) for a in aliases)
        self.add(Entry(normalise(name), target, names, summary, paper))

    def add(self, entry: Entry[T], *, override: bool = False) -> None:
        """Add an entry under its name and aliases, all or none."""
        names = (entry.name, *entry.aliases)
        if len(set(names)) != len(names):
            raise DuplicateComponentError(f"{self.kind} '{entry.name}': an alias repeats a name: {names}")
        taken = {n: self._entries[n] for n in names if n in self._entries}
        if taken and not override:
            name, old = next(iter(taken.items()))
            raise DuplicateComponentError(
                f"{self.kind} '{name}' from {entry.source} is already registered by {old.source}; "
                "choose another name, or pass override=True to replace it"
            )
        gone = {old.name for old in taken.values()}
        kept = {n: e for n, e in self._entries.items() if e.name not in gone}
        self._entries = kept | dict.fromkeys(names, entry)

    def get(self, name: str, *, path: str = "") -> Entry[T]:
        """The entry of that name or alias.

        Args:
            name: The name to look up.
            path: Where the name was written (`generator.name`), put before the message.

        Raises:
            UnknownComponentError: With the close matches and all names.
        """
        key = normalise(name)
        if key not in self._entries and self.discover is not None:
            self.discover()
        if key in self._entries:
            return self._entries[key]
        where = f"{path}: " if path else ""
        hint = did_you_mean(key, self._entries)
        raise UnknownComponentError(
            f"{where}unknown {self.kind} '{name}'{hint or ';'} known: {', '.join(self.names()) or 'none'}"
        )

    def create(self, name: str, /, *, path: str = "", **arguments: Any) -> T:
        """Build the component, after its arguments were checked against its signature.

        Raises:
            UnknownComponentError: If there is no such component.
            ArgumentError: If an argument is unknown or a required one is missing.
        """
        entry = self.get(name, path=f"{path}.name" if path else "")
        self.check_arguments(entry, arguments, path=path)
        return entry.load()(**arguments)

    def check_arguments(self, entry: Entry[T], arguments: Mapping[str, Any], *, path: str = "") -> None:
        """Raise `ArgumentError` unless the factory takes exactly such arguments."""
        parameters = entry.parameters()
        prefix = f"{path}.args" if path else f"{self.kind} '{entry.name}'"
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        known = [n for n, p in parameters.items() if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
        for name in arguments:
            if name not in known and not takes_any:
                separator = "." if path else ": "
                match = close_match(name, known)
                hint = f"did you mean '{match}'?" if match else f"known: {', '.join(known) or 'none'}"
                raise ArgumentError(f"{prefix}{separator}{name}: unknown argument; {hint}")
        for name in known:
            if parameters[name].default is inspect.Parameter.empty and name not in arguments:
                raise ArgumentError(f"{prefix}: required argument '{name}' of '{entry.name}' is missing")

    def names(self, pattern: str = "*") -> list[str]:
        """The names (not the aliases) that match a shell pattern, sorted."""
        wanted = normalise(pattern)
        return sorted({e.name for e in self._entries.values() if fnmatch.fnmatch(e.name, wanted)})

    def entries(self) -> list[Entry[T]]:
        """All entries, by name."""
        return [self._entries[name] for name in self.names()]

    def describe(self, name: str) -> Description:
        """Everything a person may want to know about a component."""
        entry = self.get(name)
        factory = entry.load()
        empty = inspect.Parameter.empty
        parameters = tuple(
            ParameterDescription(
                p.name, _annotation_text(p.annotation), None if p.default is empty else repr(p.default)
            )
            for p in entry.parameters().values()
        )
        return Description(
            kind=self.kind,
            name=entry.name,
            aliases=entry.aliases,
            summary=entry.summary,
            paper=entry.paper,
            source=entry.source,
            factory=f"{factory.__module__}.{getattr(factory, '__qualname__', repr(factory))}",
            doc=inspect.getdoc(factory) or "",
            parameters=parameters,
        )

    @contextmanager
    def temporary(self) -> Iterator[Registry[T]]:
        """Undo, on leaving, every registration made inside; for tests."""
        before = self._entries
        try:
            yield self
        finally:
            self._entries = before

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and normalise(name) in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())
