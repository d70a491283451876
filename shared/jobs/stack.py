"""The frames of an error that are the user's own code: no library's, and none of ours."""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType

OURS = __name__.partition(".")[0]
"""The package that this module is in."""
STDLIB = os.path.dirname(os.__file__).replace("\\", "/") + "/"  # noqa: PTH120 - compared as text
INSTALLED = ("/site-packages/", "/dist-packages/")
MOST_FRAMES = 8


def own_frames(traceback: TracebackType | None, own: str) -> list[str]:
    """The user's frames as "file:line in function", the outermost first; of more than 8 the first
    and the last 7. `own`: the top-level package of the handler, which counts wherever it lies."""
    frames = [
        _place(frame, line) for frame, line in _walk(traceback) if not _is_library(frame, own)
    ]
    return frames if len(frames) <= MOST_FRAMES else [frames[0], *frames[1 - MOST_FRAMES :]]


def in_one_line(error: BaseException, own: str = "") -> str:
    """The error, and the line of the user's code that it comes from, where it comes from one:
    "ValueError: no price (shop.py:12 in price)"."""
    frames = own_frames(error.__traceback__, own)
    if isinstance(error, SyntaxError):
        frames = [f"{error.filename}:{error.lineno}".removeprefix(f"{Path.cwd()}/")]
    place = f" ({frames[-1]})" if frames else ""
    return f"{type(error).__name__}: {' '.join(str(error).split())}{place}"


def last_frame(traceback: TracebackType | None) -> str | None:
    """The innermost frame, whoever wrote it."""
    places = deque(_walk(traceback), maxlen=1)
    return _place(*places[0]) if places else None


def without_ours(traceback: TracebackType | None) -> TracebackType | None:
    """The traceback from the first frame on that is not ours."""
    rest = traceback
    while rest is not None and _top(rest.tb_frame) == OURS:
        rest = rest.tb_next
    return rest or traceback


def _walk(traceback: TracebackType | None) -> Iterator[tuple[FrameType, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def is_library_file(file: str, module: str) -> bool:
    """True for a module of the standard library, of an installed package, or of ours."""
    top = module.partition(".")[0]
    return top == OURS or _is_installed(file.replace("\\", "/"), top)


def _is_library(frame: FrameType, own: str) -> bool:
    top = _top(frame)
    return top == OURS or (top != own and _is_installed(_file(frame), top))


@functools.lru_cache(maxsize=1024)
def _is_installed(file: str, top: str) -> bool:
    """True for the standard library and for installed packages, also where they lie beside the
    application, as on function hosts: there their metadata is the sign."""
    if file.endswith(".pyx"):  # uvloop's: a compiled package names its source, not its place
        return True
    if file.startswith((STDLIB, "<frozen ")) or any(folder in file for folder in INSTALLED):
        return True
    root, found, _ = file.rpartition(f"/{top}")
    return bool(found and top) and any(Path(root).glob(f"{top}-*.dist-info"))


def _place(frame: FrameType, line: int) -> str:
    """The file is named relative to where its top-level package lies."""
    file, module = _file(frame), _module(frame)
    depth = module.count(".") + 1 + file.endswith("/__init__.py")
    name = "/".join(file.split("/")[-depth:])
    return f"{name}:{line} in {frame.f_code.co_name}"


def _file(frame: FrameType) -> str:
    return frame.f_code.co_filename.replace("\\", "/")


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _top(frame: FrameType) -> str:
    return _module(frame).partition(".")[0]
