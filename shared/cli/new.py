"""`tidegate new`: a small project with a queue, a job, its test and what a deployment needs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .command import command
from .exit_codes import Exit
from .options import Json
from .output import as_json, note

if TYPE_CHECKING:
    from ..errors import InvalidOption

TEMPLATE = Path(__file__).parent / "template"
"""The project's files. Their suffix keeps tools from taking them for code of this package."""
SUFFIX = ".template"
GRAMMAR = r"[a-z][a-z0-9]*(-[a-z0-9]+)*"
LONGEST = 40
FOLDERS = ("functions", "tests", "build", "vendor")
"""Names that the project itself uses."""

Name = Annotated[
    str, typer.Argument(help="Name of the project and its folder: small letters, digits, hyphens.")
]
Into = Annotated[
    Path, typer.Option("--into", help="Folder in which the project's folder is made. [default: .]")
]


@command
async def new(name: Name, into: Into = Path(), json: Json = False) -> Exit:
    """Write a small project into the new folder NAME. Overwrites nothing."""
    from .wheel import FOLDER, IS_RELEASED, wheel_name

    folder = into / name
    module = _module_name(name, folder)
    written = _write(folder, name, module)
    if json:
        as_json({"folder": str(folder), "files": written})
        return Exit.OK
    note(f"{folder} has {len(written)} files; {module}.py declares the queue and its job.")
    if not IS_RELEASED and f"{FOLDER}/{wheel_name()}" not in written:
        note(
            f"First copy {wheel_name()} into {folder / FOLDER}: `make wheel` in a clone of "
            "Tidegate writes it into dist/."
        )
    note(f"Next: cd {folder}, then the two commands of its README.md:")
    print("pip install -r requirements-dev.txt")
    print("pytest")
    return Exit.OK


def _module_name(name: str, folder: Path) -> str:
    """The name of the project's module. Raises InvalidOption for a name that can't be one, or whose
    folder exists."""
    import importlib.util
    import keyword
    import re

    from ..errors import InvalidOption

    if len(name) > LONGEST or not re.fullmatch(GRAMMAR, name):
        raise InvalidOption(
            f"{name[:LONGEST]!r} is no project name: at most {LONGEST} small letters, digits and "
            "single hyphens between them, a letter first",
            "name",
        )
    if folder.exists():  # before the look for modules, which finds the folder itself
        raise _exists(folder)
    module = name.replace("-", "_")
    is_reserved = module in FOLDERS or keyword.iskeyword(module)
    if is_reserved or importlib.util.find_spec(module) is not None:
        raise InvalidOption(
            f"the project's module would be {module}.py, and Python has another meaning for "
            f"`import {module}` here; choose another name",
            "name",
        )
    return module


def _write(folder: Path, name: str, module: str) -> list[str]:
    """Write the project; the names of its files. Raises InvalidOption if the folder exists."""
    from ..errors import ConfigurationError
    from .wheel import choose_lines, copy_wheel, values

    texts = {"{{name}}": name, "{{module}}": module, **values()}
    try:
        folder.mkdir()
        for target, source in _files(module):
            text = choose_lines(source.read_text(encoding="utf-8"))
            for placeholder, value in texts.items():
                text = text.replace(placeholder, value)
            (folder / target).parent.mkdir(parents=True, exist_ok=True)
            (folder / target).write_text(text, encoding="utf-8")
        wheel = copy_wheel(folder)
    except FileExistsError:
        raise _exists(folder) from None
    except OSError as error:
        raise ConfigurationError(f"can't write {error.filename}: {error.strerror}") from None
    return sorted([*(target for target, _ in _files(module)), *([wheel] if wheel else [])])


def _exists(folder: Path) -> InvalidOption:
    from ..errors import InvalidOption

    return InvalidOption(
        f"{folder} exists already, and nothing is overwritten; choose another name", "name"
    )


def _files(module: str) -> Iterator[tuple[str, Path]]:
    """(path in the project, its template)."""
    for source in sorted(TEMPLATE.rglob(f"*{SUFFIX}")):
        path = source.relative_to(TEMPLATE).as_posix().removesuffix(SUFFIX)
        yield path.replace("MODULE", module).replace("dot-", "."), source
