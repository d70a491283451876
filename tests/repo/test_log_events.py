"""The table of log events in docs/operations.md has each event that the package logs, at its
levels, and no other."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

HEAD = "| event | level | means | do |"
LEVELS = {"info": "I", "warning": "W", "error": "E", "exception": "E", "log": ""}
"""By the method; `log` takes its level from a variable."""
KINDS = {"alert_%s": ("alert_fired", "alert_recovered", "alert_dropped")}
"""Names that are put together, and what they become (alerts/notice.py)."""
Events = dict[str, set[str]]


def _is_logger(node: ast.expr) -> bool:
    return re.search(r"(^|[._])log(ger)?$|getLogger\(", ast.unparse(node)) is not None


def _texts(node: ast.expr, function: ast.AST) -> set[str]:
    """The texts that a message may be: itself, or those of the variable in this function."""
    if isinstance(node, ast.Constant):
        return {str(node.value)}
    if isinstance(node, ast.IfExp):
        return _texts(node.body, function) | _texts(node.orelse, function)
    if isinstance(node, ast.Name):
        values = [
            one.value
            for one in ast.walk(function)
            if isinstance(one, ast.Assign) and ast.unparse(one.targets[0]) == node.id
        ]
        return {text for value in values for text in _texts(value, function)}
    return set()


def _calls(tree: ast.Module) -> Iterator[tuple[ast.Call, str, ast.AST]]:
    """Each call that logs, its method, and the function around it."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    for function in functions:
        for node in ast.walk(function):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr in LEVELS and _is_logger(node.func.value):
                yield node, node.func.attr, function


def logged(modules: dict[str, ast.Module]) -> Events:
    """Event → its levels. A message with a space is a sentence for a person, and no event."""
    events: Events = defaultdict(set)
    for name, tree in modules.items():
        for call, method, function in _calls(tree) if name.startswith("shared/") else ():
            texts = _texts(call.args[method == "log"], function)
            assert texts, f"{name}:{call.lineno}: log a name that stands there as a text"
            for text in texts:
                for event in KINDS.get(text, (text,)) if " " not in text else ():
                    events[event].add(LEVELS[method])
    return events


def described(page: Path) -> Events:
    """Event → its levels, as the table has them."""
    table = page.read_text(encoding="utf-8").partition(HEAD)[2].partition("\n\n")[0]
    events: Events = {}
    for row in table.splitlines()[2:]:
        cells = row.split("|")
        for name in re.findall(r"`(\w+)`", cells[1]):
            assert name not in events, f"{name} has two rows"
            events[name] = set(cells[2].strip().split(", "))
    return events


def test_the_table_of_log_events_has_every_event_and_no_other(
    modules: dict[str, ast.Module], root: Path
) -> None:
    events, table = logged(modules), described(root / "docs/operations.md")

    assert "drained" in events, "This test no longer sees what is logged: correct it."
    assert sorted(table) == sorted(events)


def test_each_event_has_its_level(modules: dict[str, ast.Module], root: Path) -> None:
    table = described(root / "docs/operations.md")

    wrong = {
        event: levels
        for event, levels in logged(modules).items()
        if not levels - {""} <= table.get(event, levels)
    }

    assert wrong == {}
