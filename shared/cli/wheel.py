"""The wheel of Tidegate in the projects of `tidegate new`, as long as no package index has it: a
name that is nobody's there could become anybody's, so nothing of such a project asks for it."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

IS_RELEASED = False
"""True once PyPI has the package `tidegate` of these authors: projects then require its name."""
FOLDER = "vendor"
ONLY_UNRELEASED = "{{unreleased}}"
"""Begins the lines of a template that a released package does not need."""


def wheel_name() -> str:
    """The file name of this version's wheel."""
    return f"tidegate-{distribution('tidegate').version}-py3-none-any.whl"


def values() -> Mapping[str, str]:
    """What templates have in place of the requirement and of the wheel."""
    name = wheel_name()
    required = "tidegate" if IS_RELEASED else f"./{FOLDER}/{name}"
    return {"{{tidegate}}": required, "{{wheel}}": name}


def choose_lines(text: str) -> str:
    """A template's lines as the package is available."""
    lines = text.splitlines(keepends=True)
    if IS_RELEASED:
        return "".join(line for line in lines if not line.startswith(ONLY_UNRELEASED))
    return "".join(line.removeprefix(ONLY_UNRELEASED) for line in lines)


def copy_wheel(project: Path) -> str | None:
    """Copy the wheel that this environment was installed from into the project. Its name there;
    None where a copy is not needed, or the wheel is not found."""
    source = None if IS_RELEASED else _own_wheel()
    if source is None:
        return None
    target = f"{FOLDER}/{wheel_name()}"
    (project / FOLDER).mkdir()
    (project / target).write_bytes(source.read_bytes())
    return target


def _own_wheel() -> Path | None:
    """The file that pip or uv noted as the origin of this installation (PEP 610)."""
    import json
    from urllib.parse import unquote, urlsplit

    origin = json.loads(distribution("tidegate").read_text("direct_url.json") or "{}")
    url = urlsplit(origin.get("url", ""))
    path = Path(unquote(url.path))
    is_it = url.scheme == "file" and path.name == wheel_name() and path.is_file()
    return path if is_it else None
