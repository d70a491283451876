"""The audit of commands that change something. The command line works with the store's own token,
which opens everything; so no right is checked, and the rows name its user."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..access.audit import Action
    from ..access.caller import Caller
    from ..deployment import Deployment

LONGEST_LIST = 160
"""Characters of the names of many together."""


def audited(deployment: Deployment, verb: str, about: str) -> AbstractAsyncContextManager[Action]:
    """Write the rows of the action that the block is. `verb`: that of the same operation over HTTP,
    such as "queues.pause". A block that changes many tells the action how many. Raises StoreError
    where the first row can't be written."""
    from ..access.audit import Audit

    return Audit(deployment.store.access).action(this_user().who, verb, about)


def first_of(names: Iterable[object]) -> str:
    """The first of these, as many as a row of the audit has room for beside their number."""
    shown, room = list[str](), LONGEST_LIST
    for name in map(str, names):
        room -= len(name) + 2
        if room < 0:
            return ", ".join([*shown, "…"])
        shown.append(name)
    return ", ".join(shown)


def this_user() -> Caller:
    """The user of this machine who runs this command, with every right."""
    import getpass
    import socket

    from ..access.caller import Caller
    from ..access.rights import RIGHTS

    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        user = "unknown"
    return Caller(f"cli:{user}@{socket.gethostname()}", frozenset(RIGHTS))
