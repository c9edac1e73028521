"""Builds a component from its name and arguments, and the components that are nested in it."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Union, get_args, get_origin

from kornia_srgan.errors import ArgumentError
from kornia_srgan.registry.arguments import check_names, check_types

if TYPE_CHECKING:
    from kornia_srgan.registry.registry import Registry

T = TypeVar("T")
_MANY = (tuple, list, Sequence, Iterable)


def build_component(
    registry: Registry[T],
    name: str,
    arguments: Mapping[str, Any],
    *,
    path: str = "",
    context: Mapping[str, Any] | None = None,
) -> T:
    """Build a component from its name and arguments.

    Args:
        registry: Where to look the name up.
        name: A registered name or alias.
        arguments: Its arguments. A nested component may be an object, a name or `{name, args}`.
        path: The component's place in the config, for messages.
        context: Values that the factory gets if it accepts them, such as `scale`.

    Raises:
        UnknownComponentError, ArgumentError: With the path and a suggestion.
    """
    entry = registry.get(name, path=f"{path}.name" if path else "")
    parameters = entry.parameters()
    given = dict(arguments)
    for key, value in (context or {}).items():
        if key in parameters and given.setdefault(key, value) != value:
            raise ArgumentError.at(
                f"{path}.args.{key}", f"{given[key]!r} contradicts {key} {value!r}; leave it out here"
            )
    check_names(registry.kind, entry, given, path=path)
    place = f"{path}.args" if path else entry.name
    for key, value in given.items():
        if key in parameters:
            annotation = parameters[key].annotation
            given[key] = _build_nested(registry.nested, annotation, value, f"{place}.{key}")
    given = check_types(entry, given, path=place)
    try:
        return entry.load()(**given)
    except ArgumentError as error:
        if not path:
            raise
        argument = f".args.{error.where}" if error.where in parameters else ""
        raise ArgumentError(f"{path}: {error}", where=f"{path}{argument}") from error
    except (ValueError, TypeError) as error:
        raise ArgumentError.at(path or name, error) from error


def resolve_component(registry: Registry[T], given: Any, *, path: str = "") -> T:
    """Turn an object, a name or `{name, args}` into a component.

    Raises:
        UnknownComponentError, ArgumentError: As `build_component`, or for a mapping with other keys.
    """
    if isinstance(given, str):
        return build_component(registry, given, {}, path=path)
    if not isinstance(given, Mapping):
        return given
    arguments = given.get("args") or {}
    sound = isinstance(given.get("name"), str) and isinstance(arguments, Mapping)
    if not sound or set(given) - {"name", "args"}:
        kind = registry.kind.replace("_", " ")
        raise ArgumentError.at(
            path or kind, f"a {kind} is a name or has the keys 'name' and 'args'; got {dict(given)!r}"
        )
    return build_component(registry, given["name"], arguments, path=path)


def _build_nested(nested: Mapping[Any, Registry[Any]], annotation: Any, value: Any, path: str) -> Any:
    """The value with what its annotation calls a component built; anything else is left as it is."""
    members = list(_members(annotation))
    registry = next((nested[m] for m in members if isinstance(m, type) and m in nested), None)
    if registry is not None and isinstance(value, str | Mapping):
        return resolve_component(registry, value, path=path)
    for member in members:
        inner = get_args(member)
        if isinstance(value, list | tuple) and get_origin(member) in _MANY and inner:
            items = (_build_nested(nested, inner[0], item, f"{path}.{i}") for i, item in enumerate(value))
            return type(value)(items)
    return value


def _members(annotation: Any) -> Iterable[Any]:
    """The types that an annotation allows: those of a union one by one."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _members(get_args(annotation)[0])
    elif origin in (Union, types.UnionType):
        for member in get_args(annotation):
            yield from _members(member)
    else:
        yield annotation
