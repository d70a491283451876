"""Rooms stay small enough to be read at one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

FILE_LINES = 300
FUNCTION_LINES = 35
TEST_LINES = 45
CLASS_LINES = 180
CLASS_ATTRIBUTES = 14
PRODUCT = ("shared/", "functions/", "infra/")


def test_no_module_is_longer_than_one_sitting(modules: dict[str, ast.Module], root: Path) -> None:
    lengths = {
        name: len((root / name).read_text(encoding="utf-8").splitlines()) for name in modules
    }
    long = [f"{name} ({lines})" for name, lines in lengths.items() if lines > FILE_LINES]

    assert not long, f"Split along a seam of meaning, at most {FILE_LINES} lines a file: {long}"


def test_no_function_is_longer_than_one_screen(modules: dict[str, ast.Module]) -> None:
    long = []
    for name, tree in modules.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                most = FUNCTION_LINES if name.startswith(PRODUCT) else TEST_LINES
                if _lines(node) > most:
                    long.append(f"{name}:{node.lineno} {node.name} ({_lines(node)})")

    assert not long, f"Name a step and move it out, at most {FUNCTION_LINES} lines each: {long}"


def test_no_class_has_many_lines_or_attributes(modules: dict[str, ast.Module]) -> None:
    large = []
    for name, tree in modules.items():
        for node in ast.walk(tree) if name.startswith(PRODUCT) else ():
            if isinstance(node, ast.ClassDef):
                lines, attributes = _lines(node), len(_attributes(node))
                if lines > CLASS_LINES or attributes > CLASS_ATTRIBUTES:
                    large.append(f"{name}:{node.lineno} {node.name} ({lines}, {attributes})")

    assert not large, f"at most {CLASS_LINES} lines and {CLASS_ATTRIBUTES} attributes: {large}"


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _attributes(node: ast.ClassDef) -> set[str]:
    """What a class keeps in `self`. The fields of a record that never changes are not counted: it
    has as many as its JSON, its table or its environment."""
    kept = {
        at.attr
        for at in ast.walk(node)
        if isinstance(at, ast.Attribute)
        and isinstance(at.ctx, ast.Store)
        and isinstance(at.value, ast.Name)
        and at.value.id == "self"
    }
    fields = {
        field.target.id
        for field in node.body
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
    }
    return kept if _is_record(node) else kept | fields


def _is_record(node: ast.ClassDef) -> bool:
    text = " ".join(ast.unparse(part) for part in (*node.bases, *node.decorator_list))
    return any(word in text for word in ("frozen=True", "BaseModel", "NamedTuple", "Response"))
