"""Rooms stay small enough to be read at one sitting."""

from __future__ import annotations

import ast
from pathlib import Path

FILE_LINES = 300
FUNCTION_LINES = 45


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
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > FUNCTION_LINES:
                    long.append(f"{name}:{node.lineno} {node.name} ({lines})")

    assert not long, f"Name a step and move it out, at most {FUNCTION_LINES} lines each: {long}"
