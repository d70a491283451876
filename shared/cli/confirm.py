"""The question before a command that can't be undone. It names the store and what will happen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InvalidOption
from .output import note, printable
from .signals import interruptible

if TYPE_CHECKING:
    from ..config.settings import Settings

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Go on without a question.")]


def confirmed(action: str, settings: Settings, *, yes: bool) -> bool:
    """True if the action ("delete 3 dead letters of queue 'work'") was confirmed, by `yes` or at
    the terminal. Raises InvalidOption where there is no terminal to ask at."""
    sentence = printable(f"{action}, in {name_of_store(settings)}")
    if yes:
        return True
    if not sys.stdin.isatty():
        raise InvalidOption(
            f"this would {sentence}; there is no terminal to ask at: pass --yes", "yes"
        )
    with interruptible():
        sure = typer.confirm(f"This will {sentence}. Go on?", err=True)
    if sure:
        return True
    note("nothing was changed")
    return False


def name_of_store(settings: Settings) -> str:
    """The store of these settings, in words."""
    if settings.redis_url is None:
        return f"the embedded store {settings.data_dir}"
    host = settings.redis_url.partition("://")[2].partition("/")[0]
    return f"the database {host}, prefix {settings.prefix!r}"
