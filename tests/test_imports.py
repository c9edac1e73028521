"""Imports run downward only, and the cheap modules stay cheap. Read from the source, nothing is imported."""

import ast
import re
from functools import cache

import pytest

from tests.helpers.package import PACKAGE, modules

ARCHITECTURE = PACKAGE.parent / "docs" / "architecture.md"
_LAYER = re.compile(r"^ *(\d+)  +(\S+(?: \S+)*)(?:  |$)")


def read_layers(text):
    """The layers as docs/architecture.md draws them, from the ground up, and the groups of siblings.

    A module may import what stands below it; the longest matching name counts. Modules of one layer may
    import each other, but for those with a bar between them, and never in a circle.
    """
    drawing = text.split("## The layers")[1].split("```text\n")[1].split("```")[0]
    layers, siblings = {}, {}
    for line in drawing.splitlines():
        number, names = _LAYER.match(line).groups()
        layers.setdefault(int(number), []).extend(names.replace("|", " ").split())
        if "|" in names:
            siblings.setdefault(int(number), []).extend(n.strip() for n in names.split("|"))
    assert sorted(layers) == list(range(len(layers))), "layers are numbered from 0, without a gap"
    return [tuple(layers[n]) for n in sorted(layers)], [tuple(group) for group in siblings.values()]


LAYERS, SIBLINGS = read_layers(ARCHITECTURE.read_text("utf-8"))
HEAVY = {"torch", "torchvision", "timm", "kornia", "accelerate", "numpy", "PIL", "safetensors"}
LIGHT_ROOMS = ("cli.", "config.", "registry.")
PICTURE_ROOMS = ("photos.", "rasters.")
LIGHT_MODULES = ("", "errors", "explain", "contracts", "atomic", "environment", "config", "registry", "cli")


def _within(name, room):
    return name == room or name.startswith(f"{room}.")


def layer_of(name):
    """The layer of a module's longest matching room; the package itself is the roof."""
    if not name:
        return len(LAYERS) - 1
    found = [
        (len(room), layer) for layer, rooms in enumerate(LAYERS) for room in rooms if _within(name, room)
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
def test_every_module_has_a_layer(name):
    assert layer_of(name) is not None, f"{name} has no layer in docs/architecture.md"


def arrows_up(name, path):
    """The modules above its own layer that a module imports."""
    return [target for target in own_imports(path) if layer_of(target) > layer_of(name)]


@pytest.mark.parametrize(("name", "path"), modules().items())
def test_no_arrow_runs_up(name, path):
    assert not arrows_up(name, path), f"{name} may import what stands below it only"


@pytest.mark.parametrize(("name", "path"), modules().items())
def test_siblings_do_not_import_each_other(name, path):
    for group in SIBLINGS:
        room = next((r for r in group if _within(name, r)), None)
        for target in own_imports(path) if room else ():
            other = next((r for r in group if _within(target, r)), room)
            assert other == room, f"{name} imports {target}"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("demo.page", "from kornia_srgan.cli.errors import explain"),
        ("demo.page", "def show():\n    import kornia_srgan.cli.errors"),
        ("ops.bicubic", "from kornia_srgan import Upscaler"),
    ],
)
def test_an_arrow_up_is_seen(tmp_path, name, line):
    """The first is one that the package once had, when both parts stood on one layer."""
    changed = tmp_path / "module.py"
    changed.write_text(f"{modules()[name].read_text('utf-8')}\n{line}\n", "utf-8")
    assert len(arrows_up(name, changed)) == 1


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


def heavy_reached(name, heavy):
    """The heavy packages that importing a module imports, by the modules in between."""
    found, seen, todo = {}, set(), [name]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        source = modules()[current]
        tops = {i.split(".")[0] for i in imports(source, at_import_time=True)} & heavy
        found |= {current: tops} if tops else {}
        todo.extend(own_imports(source, at_import_time=True))
    return found


@pytest.mark.parametrize("name", [n for n in modules() if n in LIGHT_MODULES or n.startswith(LIGHT_ROOMS)])
def test_light_modules_import_nothing_heavy(name):
    """Not even through each other: what they import at import time is light as well."""
    assert not heavy_reached(name, HEAVY)


@pytest.mark.parametrize("name", [n for n in modules() if n.startswith(PICTURE_ROOMS)])
def test_files_of_pictures_need_no_torch(name):
    assert not heavy_reached(name, HEAVY - {"numpy", "PIL"})


def test_files_stay_readable():
    long = {n: lines for n, p in modules().items() if (lines := len(p.read_text("utf-8").splitlines())) > 330}
    assert not long, f"split these files: {long}"
