"""Tokens and rows of the audit as fields: one description for HTTP and the command line."""

from __future__ import annotations

from typing import Any

from ..clock import utc
from .audit import AuditRow
from .token import Token
from .tokens import NewToken


def describe_token(token: Token) -> dict[str, Any]:
    """One token, without what is secret of it."""
    return {
        "id": token.id,
        "subject": token.subject,
        "name": token.name,
        "role": token.role,
        "rights": sorted(token.rights),
        "queues": None if token.queues is None else sorted(token.queues),
        "types": None if token.types is None else sorted(token.types),
        "keys": None if token.keys is None else sorted(token.keys),
        **token.allowance._asdict(),
        "created_at": utc(token.created_ms),
        "created_by": token.created_by,
        "expires_at": None if token.expires_ms is None else utc(token.expires_ms),
    }


def describe_new(new: NewToken) -> dict[str, Any]:
    """A new token with its text."""
    return {**describe_token(new.token), "token": new.text}


def describe_row(row: AuditRow) -> dict[str, Any]:
    """One row of the audit."""
    return {
        "action": row.action,
        "at": utc(row.at_ms),
        "who": row.who,
        "verb": row.verb,
        "object": row.object,
        "result": row.result,
    }
