"""Output of commands: tables and sentences on stdout, one JSON document with `--json`.

On a terminal rich draws the tables; in a pipe they are plain columns without colours or frames.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import TextIOWrapper
from typing import Any

GAP = "  "
_UNUSUAL = re.compile(r"[^\n -~]")


def as_json(document: object) -> None:
    """Print the document as JSON."""
    from pydantic_core import to_json

    text = to_json(document, indent=2, inf_nan_mode="null", fallback=_plain).decode()
    print(_UNUSUAL.sub(_escaped, text))


def as_json_line(document: object) -> None:
    """Print the document as JSON in one line."""
    from pydantic_core import to_json

    print(_UNUSUAL.sub(_escaped, to_json(document, inf_nan_mode="null").decode()))


def line(values: Sequence[object]) -> None:
    """Print one row by itself."""
    print(GAP.join(map(_cell, values)))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under their columns, numbers aligned to the right."""
    texts = [[_cell(value) for value in row] for row in rows]
    right = [
        bool(rows) and all(isinstance(row[i], int | float) or row[i] is None for row in rows)
        for i in range(len(columns))
    ]
    if sys.stdout.isatty():
        _print_table(columns, texts, right)
        return
    lines = [list(columns), *texts]
    widths = [max(len(line[i]) for line in lines) for i in range(len(columns))]
    for line in lines:
        cells = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ]
        print(GAP.join(cells).rstrip())


def fields(values: Mapping[str, object]) -> None:
    """Print one line for each name and value; empty values are left out."""
    present = {name: value for name, value in values.items() if value not in (None, "", {}, [])}
    width = max(map(len, present), default=0)
    for name, value in present.items():
        print(f"{name.ljust(width)}{GAP}{_cell(value)}")


def print_switch(name: str, *, paused: bool, was_paused: bool) -> None:
    """Print that a queue or a schedule is paused or runs, and whether it did so before."""
    already = " already" if was_paused is paused else ""
    print(f"{name} is{already} {'paused' if paused else 'running'}")


def note(sentence: str) -> None:
    """Print a sentence for people, on stderr: stdout is for programs."""
    print(sentence, file=sys.stderr)


def flush() -> None:
    """Flush both streams: a parent process may be waiting for these lines."""
    sys.stdout.flush()
    sys.stderr.flush()


def replace_unwritable() -> None:
    """Have both streams write ? for a character that their encoding lacks: a Latin one is usual
    where a pipe gets the output on Windows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper) and stream.errors in {"strict", "surrogateescape"}:
            stream.reconfigure(errors="replace")


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on stderr during the block, if stderr is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _more: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=total)
        yield lambda more: bar.advance(task, more)


def printable(text: str) -> str:
    """Text with its control characters escaped, so that it can't steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text)


def written(instant: datetime) -> str:
    """An instant in UTC as people read it."""
    return f"{instant:%Y-%m-%d %H:%M:%S} UTC"


def as_written(value: object) -> object:
    """A value of the application for a cell: as JSON has it, for a number of its own may be no
    quantity. Texts, objects and arrays, and nothing, stay."""
    return json.dumps(value) if isinstance(value, bool | int | float) else value


def _one_line(text: str) -> str:
    """Printable text without line breaks: a value can't forge a row."""
    return printable(text).replace("\n", "\\n")


def _escaped(match: re.Match[str]) -> str:
    """Control and direction characters as JSON escapes, and those that stdout can't write; they
    stand in strings only."""
    shown = match[0].isprintable() and _is_writable(match[0])
    return match[0] if shown else json.dumps(match[0])[1:-1]


def _is_writable(text: str) -> bool:
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _print_table(
    columns: Sequence[str], texts: Sequence[Sequence[str]], right: Sequence[bool]
) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    framed = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, to_right in zip(columns, right, strict=True):
        framed.add_column(name, justify="right" if to_right else "left", overflow="fold")
    for line in texts:
        framed.add_row(*map(Text, line))
    Console().print(framed)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3g}" if value < 100 else f"{value:,.0f}"
    if isinstance(value, datetime):
        return written(value)
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False, default=_plain)
    return _one_line(str(value))


def _plain(value: Any) -> Any:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
