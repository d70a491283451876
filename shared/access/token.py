"""A stored token: its rights, its queues, its end, and the digest of its text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from .caller import Caller
from .rights import NO_LIMITS, RIGHTS, ROLES, Allowance, Right

END = ":end"
"""Behind an id: the field that ends a token early (ms), after a rotation. It stands apart, so that
a rotation rewrites no record: it can't bring back one that is revoked meanwhile."""

NO_TOKEN = "The token is unknown, has expired or is revoked."  # noqa: S105 - a sentence


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `subject`: the id of the first one of its rotations, which its jobs keep.
    `queues`, `types`, `keys`: None for all. Instants are milliseconds; `expires_ms` None: it does
    not expire."""

    id: str
    subject: str
    name: str
    rights: frozenset[Right]
    queues: frozenset[str] | None
    created_ms: int
    expires_ms: int | None
    created_by: str
    digest: str = field(repr=False)
    types: frozenset[str] | None = None
    keys: frozenset[str] | None = None
    allowance: Allowance = NO_LIMITS

    @property
    def role(self) -> str | None:
        """The role with exactly its rights; None where it has a set of its own."""
        return next((name for name, rights in ROLES.items() if rights == self.rights), None)

    def is_valid(self, now: int) -> bool:
        """False from its end on (ms)."""
        return self.expires_ms is None or now < self.expires_ms

    def caller(self) -> Caller:
        """Whom it stands for."""
        return Caller(
            f"token:{self.id}", self.rights, self.queues, self.subject,
            self.types, self.keys, self.allowance, self.expires_ms, self.id,
        )  # fmt: skip

    def ended_at(self, instant: int) -> Token:
        """The token with an end at this instant (ms), or earlier where it had one."""
        ends = instant if self.expires_ms is None else min(instant, self.expires_ms)
        return replace(self, expires_ms=ends)


def write_token(token: Token) -> str:
    """The record of a token."""
    return json.dumps({
        "subject": token.subject,
        "name": token.name,
        "rights": sorted(token.rights),
        "queues": _sorted_names(token.queues),
        "types": _sorted_names(token.types),
        "keys": _sorted_names(token.keys),
        "allowance": list(token.allowance),
        "created": token.created_ms,
        "expires": token.expires_ms,
        "by": token.created_by,
        "digest": token.digest,
    })  # fmt: skip


def _sorted_names(names: frozenset[str] | None) -> list[str] | None:
    return None if names is None else sorted(names)


def read_tokens(fields: Mapping[str, object]) -> Iterator[Token]:
    """The tokens of all fields; a record that can't be read is left out, so it opens nothing."""
    for name, record in fields.items():
        if name.endswith(END):
            continue
        try:
            token = _read(name, str(record))
            end = fields.get(name + END)
            yield token if end is None else token.ended_at(int(str(end)))
        except (ValueError, KeyError, TypeError):
            continue


def _read(token_id: str, record: str) -> Token:
    """Rights that this version does not know are left out. So is a token with a field that it does
    not know, which may be a limit. Raises ValueError, KeyError and TypeError."""
    values = json.loads(record)
    if not _FIELDS.issuperset(values):
        raise ValueError("a newer version wrote it")
    expires = values["expires"]
    return Token(
        id=token_id,
        subject=str(values["subject"]),
        name=str(values["name"]),
        rights=frozenset(right for right in RIGHTS if right in values["rights"]),
        queues=_names(values["queues"]),
        created_ms=int(values["created"]),
        expires_ms=None if expires is None else int(expires),
        created_by=str(values["by"]),
        digest=str(values["digest"]),
        types=_names(values.get("types")),
        keys=_names(values.get("keys")),
        allowance=Allowance(*(None if n is None else int(n) for n in values.get("allowance", ()))),
    )


_FIELDS = frozenset({
    *("subject", "name", "rights", "queues", "types", "keys", "allowance"),
    *("created", "expires", "by", "digest"),
})  # fmt: skip


def _names(values: Iterable[object] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(map(str, values))
