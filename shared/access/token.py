"""A stored token: its rights, its queues, its end, and the digest of its text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from .caller import Caller
from .rights import RIGHTS, ROLES, Right

END = ":end"
"""Behind an id: the field that ends a token early (ms), after a rotation. It stands apart, so that
a rotation rewrites no record: it can't bring back one that is revoked meanwhile."""


@dataclass(frozen=True, slots=True)
class Token:
    """One token. `subject`: the id of the first one of its rotations, which its jobs remember.
    `queues`: None for all. Instants are milliseconds; `expires_ms` None: it does not expire."""

    id: str
    subject: str
    name: str
    rights: frozenset[Right]
    queues: frozenset[str] | None
    created_ms: int
    expires_ms: int | None
    created_by: str
    digest: str = field(repr=False)

    @property
    def role(self) -> str | None:
        """The role with exactly its rights; None where it has a set of its own."""
        return next((name for name, rights in ROLES.items() if rights == self.rights), None)

    def is_valid(self, now: int) -> bool:
        """False from its end on (ms)."""
        return self.expires_ms is None or now < self.expires_ms

    def caller(self) -> Caller:
        """Whom it stands for."""
        return Caller(f"token:{self.id}", self.rights, self.queues, self.subject)

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
        "queues": None if token.queues is None else sorted(token.queues),
        "created": token.created_ms,
        "expires": token.expires_ms,
        "by": token.created_by,
        "digest": token.digest,
    })  # fmt: skip


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
    """Rights that this version does not know are left out."""
    values = json.loads(record)
    expires, queues = values["expires"], values["queues"]
    return Token(
        id=token_id,
        subject=str(values["subject"]),
        name=str(values["name"]),
        rights=frozenset(right for right in RIGHTS if right in values["rights"]),
        queues=None if queues is None else frozenset(map(str, queues)),
        created_ms=int(values["created"]),
        expires_ms=None if expires is None else int(expires),
        created_by=str(values["by"]),
        digest=str(values["digest"]),
    )
