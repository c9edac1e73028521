"""How the tests are laid out: what several of them need lies in `tests/helpers`."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(p for p in TESTS.rglob("*.py") if "plugin_example" not in p.parts)


def imported(path):
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(TESTS)))
def test_no_test_imports_from_another(path):
    others = {n for n in imported(path) if n.startswith("tests.") and not n.startswith("tests.helpers")}
    assert not others, f"move what they share to tests/helpers: {', '.join(sorted(others))}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(TESTS)))
def test_the_package_itself_is_never_skipped(path):
    """A module of ours that is missing is a failure, not a reason to skip."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("importorskip"):
            assert "kornia_srgan" not in ast.unparse(node), f"{path.name}: importorskip on the package"


def _bound(node):
    """The number of a tolerance, 0 for what is not one."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, int | float) else 0


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(TESTS)))
def test_tolerances_of_precision_stand_in_the_one_table(path):
    """What asks for more than a hundredth compares floating point, not draws or grey levels."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("assert_close", "allclose")):
            bounds = {k.arg: _bound(k.value) for k in node.keywords if k.arg in ("atol", "rtol")}
            assert not any(0 < b < 0.01 for b in bounds.values()), (
                f"{path.name}:{node.lineno}: {bounds} belongs into tests/helpers/tolerances.py"
            )
