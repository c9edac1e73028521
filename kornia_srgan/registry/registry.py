"""Named components: `Registry`. Light to import: what builds and checks is imported on first use.

A registry maps a name to a factory (a class or a function whose parameters are keyword-only and annotated).
Built-in components are declared by their import path and imported when first used, so that listing them
costs no torch import; everybody else registers with a decorator.
"""

from __future__ import annotations

import fnmatch
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from kornia_srgan.errors import DuplicateComponentError, UnknownComponentError, did_you_mean
from kornia_srgan.registry.entry import Description, Entry, describe, normalise, registration_source

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


@dataclass
class Registry(Generic[T]):
    """A catalogue of one kind of component.

    Args:
        kind: What the registry holds, in the singular; used in messages.
        discover: Called once, on the first name that misses, to load plug-ins.
        nested: The registries that build arguments, by the type that such an argument is annotated with.

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
                    source=registration_source() or factory.__module__,
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

        An argument whose annotation is itself a kind of component (`FeatureExtractor`, or a tuple of
        `DegradationStage`) may be given as an object, as a name, or as `{"name": ..., "args": {...}}`.

        Args:
            name: A registered name or alias.
            path: Where the component was written (`generator`), put before messages.
            **arguments: Its arguments, converted to what the signature says (a list to a tuple, 1 to 1.0).

        Raises:
            UnknownComponentError: If there is no such component.
            ArgumentError: If an argument is unknown or of another type, a required one is missing, or the
                component refuses one.
        """
        from kornia_srgan.registry.build import build

        return build(self, name, arguments, path=path)

    def resolve(self, given: Any, *, path: str = "") -> T:
        """A component that is given as an object, as a name, or as `{"name": ..., "args": {...}}`.

        Raises:
            UnknownComponentError, ArgumentError: As `create`, or for a mapping with other keys.
        """
        from kornia_srgan.registry.build import resolve

        return resolve(self, given, path=path)

    def names(self, pattern: str = "*") -> list[str]:
        """The names (not the aliases) that match a shell pattern, sorted."""
        wanted = normalise(pattern)
        return sorted({e.name for e in self._entries.values() if fnmatch.fnmatch(e.name, wanted)})

    def entries(self) -> list[Entry[T]]:
        """All entries, by name."""
        return [self._entries[name] for name in self.names()]

    def describe(self, name: str) -> Description:
        """Everything a person may want to know about a component."""
        return describe(self.kind, self.get(name))

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
