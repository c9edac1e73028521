"""Imports run downward only, and the cheap modules stay cheap. Read from the source, nothing is imported."""

import ast
import re
from functools import cache

import pytest

from tests.helpers.package import PACKAGE, modules

ARCHITECTURE = PACKAGE.parent / "docs" / "architecture.md"
_FLOOR = re.compile(r"^ *(\d+)  +(\S+(?: \S+)*)(?:  |$)")


def read_floors(text):
    """The floors as docs/architecture.md draws them, from the ground up, and the groups of siblings.

    A module may import what stands below it; the longest matching name counts. Modules of one floor may
    import each other, but for those with a bar between them, and never in a circle.
    """
    drawing = text.split("```text\n")[1].split("```")[0]
    floors, siblings = {}, {}
    for line in drawing.splitlines():
        number, names = _FLOOR.match(line).groups()
        floors.setdefault(int(number), []).extend(names.replace("|", " ").split())
        if "|" in names:
            siblings.setdefault(int(number), []).extend(n.strip() for n in names.split("|"))
    assert sorted(floors) == list(range(len(floors))), "floors are numbered from 0, without a gap"
    return [tuple(floors[n]) for n in sorted(floors)], [tuple(group) for group in siblings.values()]


FLOORS, SIBLINGS = read_floors(ARCHITECTURE.read_text("utf-8"))
HEAVY = {"torch", "torchvision", "timm", "kornia", "accelerate", "numpy", "PIL", "safetensors"}
LIGHT_ROOMS = ("cli.", "config.", "registry.")
LIGHT_MODULES = ("", "errors", "explain", "contracts", "atomic", "environment", "config", "registry", "cli")


def _within(name, room):
    return name == room or name.startswith(f"{room}.")


def floor_of(name):
    """The floor of a module's longest matching room; the package itself is the roof."""
    if not name:
        return len(FLOORS) - 1
    found = [
        (len(room), floor) for floor, rooms in enumerate(FLOORS) for room in rooms if _within(name, room)
    ]
    return max(found)[1] if found else None


@cache
def imports(path, *, at_import_time=False):
    """Names that a module imports, as dotted paths; `from x import y` gives `x.y` too."""
    found = []
    for node in _nodes(ast.parse(path.read_text("utf-8")), at_import_time):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def _nodes(tree, at_import_time):
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            continue
        if at_import_time and isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        yield node
        yield from _nodes(node, at_import_time)


def own_imports(path, **options):
    """The modules of this package that a module imports."""
    known = modules()
    for name in imports(path, **options):
        if name == "kornia_srgan" or name.startswith("kornia_srgan."):
            inner = name.removeprefix("kornia_srgan").lstrip(".")
            yield inner if inner in known else inner.rpartition(".")[0]


@pytest.mark.parametrize("name", modules())
def test_every_module_has_a_floor(name):
    assert floor_of(name) is not None, f"{name} has no floor in docs/architecture.md"


@pytest.mark.parametrize(("name", "path"), modules().items())
def test_no_arrow_runs_up(name, path):
    for target in own_imports(path):
        assert floor_of(target) <= floor_of(name), (
            f"{name or 'kornia_srgan'} imports {target or 'kornia_srgan'}"
        )


@pytest.mark.parametrize(("name", "path"), modules().items())
def test_siblings_do_not_import_each_other(name, path):
    for group in SIBLINGS:
        room = next((r for r in group if _within(name, r)), None)
        for target in own_imports(path) if room else ():
            other = next((r for r in group if _within(target, r)), room)
            assert other == room, f"{name} imports {target}"


def test_the_page_may_not_import_the_command_line():
    """As it once did: both stood on one floor, where an import upwards cannot be seen."""
    assert floor_of("demo.page") < floor_of("cli.errors")


def test_no_circles():
    """Not even by imports inside functions."""
    graph = {name: set(own_imports(path)) - {name} for name, path in modules().items()}
    done = set()

    def visit(name, trail):
        assert name not in trail, " -> ".join([*trail, name])
        if name not in done:
            for target in graph[name]:
                visit(target, [*trail, name])
            done.add(name)

    for name in graph:
        visit(name, [])


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (n, p)
        for n, p in modules().items()
        if n in LIGHT_MODULES or n.startswith(("cli.", "config.", "registry."))
    ],
)
def test_light_modules_import_nothing_heavy(name, path):
    """Not even through each other: what they import at import time is light as well."""
    seen, todo = set(), [name]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        source = modules()[current]
        tops = {i.split(".")[0] for i in imports(source, at_import_time=True)}
        assert not tops & HEAVY, f"{current} (reached from {name}) imports {tops & HEAVY}"
        todo.extend(own_imports(source, at_import_time=True))


def test_files_stay_readable():
    long = {n: lines for n, p in modules().items() if (lines := len(p.read_text("utf-8").splitlines())) > 330}
    assert not long, f"split these files: {long}"
