"""Rights: what a caller may do. A role is a named set of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, TypeAlias, get_args

from ..config.settings import ROLES as ENVIRONMENT_ROLES

Right: TypeAlias = Literal[
    "enqueue", "read", "payloads", "operate", "delete", "drain", "metrics", "manage"
]
Access: TypeAlias = Right | Literal["public"]
"""What an operation needs: a right, or nothing ("public")."""

RIGHTS: tuple[Right, ...] = get_args(Right)
MEANINGS: Mapping[Right, str] = {
    "enqueue": "store jobs, and read those that the same token has stored",
    "read": "see jobs, queues, schedules and dead letters without what jobs carry",
    "payloads": "see payloads and results too; it adds to `read`",
    "operate": "pause, resume, cancel, redrive, run schedules",
    "delete": "delete jobs and dead letters for good",
    "drain": "run a tick",
    "metrics": "read the numbers of the whole deployment",
    "manage": "make and revoke tokens, read the audit",
}

ROLES: Mapping[str, frozenset[Right]] = {
    "producer": frozenset({"enqueue"}),
    "viewer": frozenset({"read", "metrics"}),
    "payload-reader": frozenset({"read", "payloads"}),
    "operator": frozenset({"enqueue", "read", "payloads", "operate", "drain", "metrics"}),
    "admin": frozenset(RIGHTS),
    "cron": frozenset({"drain"}),
    "metrics": frozenset({"metrics"}),
}
"""The roles of stored tokens. None contains another by itself: a viewer can't enqueue."""


class Allowance(NamedTuple):
    """How much a token may ask for. None: any number."""

    requests_a_minute: int | None = None
    jobs_a_day: int | None = None


NO_LIMITS = Allowance()

_ADDED: Mapping[str, frozenset[Right]] = {
    "producer": frozenset({"enqueue"}),
    "viewer": frozenset({"read", "metrics"}),
    "operator": frozenset({"payloads", "operate", "drain"}),
    "admin": frozenset({"delete", "manage"}),
}


def environment_rights(role: str) -> frozenset[Right]:
    """The rights of a token of TIDEGATE_API_TOKENS: its role's and those of all roles before it."""
    known = ENVIRONMENT_ROLES[: ENVIRONMENT_ROLES.index(role) + 1]
    return frozenset(right for one in known for right in _ADDED[one])
