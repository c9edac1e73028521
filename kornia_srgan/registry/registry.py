"""`Registry`: components by name.

A registry maps a name to a factory: a class or a function with keyword-only, annotated parameters. Built-in
components are declared by import path and imported on first use, so that listing them does not import torch.
Other components are registered with a decorator.
"""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kornia_srgan.errors import DuplicateComponentError, UnknownComponentError, did_you_mean
from kornia_srgan.registry.entry import (
    Description,
    Entry,
    describe_entry,
    normalise_name,
    registration_source,
)

T = TypeVar("T")
Table = tuple[tuple[str, str, tuple[str, ...], str, str], ...]
"""Built-ins: name, target in its package, aliases, summary, paper."""
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Registry(Generic[T]):
    """Components of one kind, by name.

    Args:
        kind: The kind of component, in the singular; used in messages.
        discover: Called once, when a name is not found for the first time, to load plug-ins.
        nested: The registries for nested components, by the annotation of the parameter.

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
    nested: Mapping[Any, Registry[Any]] = field(default_factory=dict, repr=False, compare=False)
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
        """Return a decorator that registers a class or function and returns it unchanged.

        Args:
            name: The name; case and `-`/`_` do not matter.
            aliases: Other names, registered together with `name` or not at all.
            summary: One-line description; by default the first line of the docstring.
            paper: The reference.
            override: Replace an existing component of that name.

        Raises:
            DuplicateComponentError: If one of the names is taken and `override` is False.
        """

        def decorate(factory: F) -> F:
            doc = inspect.getdoc(factory) or ""
            self.add(
                Entry(
                    name=normalise_name(name),
                    target=factory,
                    aliases=tuple(normalise_name(a) for a in aliases),
                    summary=summary or doc.partition("\n")[0],
                    paper=paper,
                    source=registration_source() or factory.__module__,
                ),
                override=override,
            )
            return factory

        return decorate

    def declare(
        self, name: str, target: str, *, aliases: tuple[str, ...] = (), summary: str, paper: str = ""
    ) -> None:
        """Declare a built-in by its import path `module:attribute`, without importing it."""
        names = tuple(normalise_name(a) for a in aliases)
        self.add(Entry(normalise_name(name), target, names, summary, paper))

    def declare_table(self, home: str, table: Table) -> None:
        """Declare the lines of a table; their targets are in the package `home`."""
        for name, target, aliases, summary, paper in table:
            self.declare(name, f"{home}.{target}", aliases=aliases, summary=summary, paper=paper)

    def add(self, entry: Entry[T], *, override: bool = False) -> None:
        """Add an entry under its name and all aliases, or not at all."""
        names = (entry.name, *entry.aliases)
        if len(set(names)) != len(names):
            raise DuplicateComponentError(
                f"{self.kind} '{entry.name}': an alias repeats a name: {names}", where=entry.name
            )
        taken = {n: self._entries[n] for n in names if n in self._entries}
        if taken and not override:
            name, old = next(iter(taken.items()))
            raise DuplicateComponentError(
                f"{self.kind} '{name}' from {entry.source} is already registered by {old.source}; "
                "choose another name, or pass override=True to replace it",
                where=name,
            )
        gone = {old.name for old in taken.values()}
        kept = {n: e for n, e in self._entries.items() if e.name not in gone}
        self._entries = kept | dict.fromkeys(names, entry)

    def get(self, name: str, *, path: str = "") -> Entry[T]:
        """The entry of that name or alias.

        Args:
            name: The name to look up.
            path: The name's place in the config (`generator.name`), for the message.

        Raises:
            UnknownComponentError: If there is none; it lists the closest and all names.
        """
        key = normalise_name(name)
        if key not in self._entries and self.discover is not None:
            self.discover()
        if key in self._entries:
            return self._entries[key]
        where = f"{path}: " if path else ""
        hint = did_you_mean(key, self._entries)
        raise UnknownComponentError(
            f"{where}unknown {self.kind} '{name}'{hint or ';'} known: {', '.join(self.names()) or 'none'}",
            where=path or None,
        )

    def create(self, name: str, /, *, path: str = "", **arguments: Any) -> T:
        """Check the arguments against the component's signature, then build it.

        An argument that is annotated as a component (`FeatureExtractor`, or a tuple of `DegradationStage`)
        accepts an object, a name, or `{"name": ..., "args": {...}}`.

        Args:
            name: A registered name or alias.
            path: The component's place in the config (`generator`), for messages.
            **arguments: Its arguments, converted to the types of the signature (a list to a tuple, 1 to 1.0).

        Raises:
            UnknownComponentError: If there is no such component.
            ArgumentError: If an argument is unknown or of another type, a required one is missing, or the
                component refuses one.
        """
        from kornia_srgan.registry.build import build_component

        return build_component(self, name, arguments, path=path)

    def resolve(self, given: Any, *, path: str = "") -> T:
        """Turn an object, a name, or `{"name": ..., "args": {...}}` into a component.

        Raises:
            UnknownComponentError, ArgumentError: As `create`, or for a mapping with other keys.
        """
        from kornia_srgan.registry.build import resolve_component

        return resolve_component(self, given, path=path)

    def names(self, pattern: str = "*") -> list[str]:
        """The names (not the aliases) that match a shell pattern, sorted."""
        wanted = normalise_name(pattern)
        return sorted({e.name for e in self._entries.values() if fnmatch.fnmatch(e.name, wanted)})

    def entries(self) -> list[Entry[T]]:
        """All entries, by name."""
        return [self._entries[name] for name in self.names()]

    def describe(self, name: str) -> Description:
        """Describe a component: arguments, types, defaults, reference and documentation."""
        return describe_entry(self.kind, self.get(name))

    @contextmanager
    def temporary(self) -> Iterator[Registry[T]]:
        """Undo every registration of this context at its end; for tests."""
        before = self._entries
        try:
            yield self
        finally:
            self._entries = before

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and normalise_name(name) in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __len__(self) -> int:
        return len(self.names())
