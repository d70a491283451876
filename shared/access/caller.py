"""The caller of an operation: whom a token stands for, its rights and its queues."""

from __future__ import annotations

from typing import NamedTuple

from ..errors import Forbidden
from .rights import NO_LIMITS, Access, Allowance, Right


class Caller(NamedTuple):
    """A known caller. `who`: as the audit names it. `queues`: the names of those that it reaches;
    None: all. `subject`: what the jobs that it enqueues keep of it; "" for the tokens of the
    environment, which have no identity of their own. `types`, `keys`: of the jobs that it reaches;
    None: all. `allowance`: how much it may request. `expires_ms`: its end; None: it has none.
    `token_id`: that of its stored token; "" for any other caller."""

    who: str
    rights: frozenset[Right] = frozenset()
    queues: frozenset[str] | None = None
    subject: str = ""
    types: frozenset[str] | None = None
    keys: frozenset[str] | None = None
    allowance: Allowance = NO_LIMITS
    expires_ms: int | None = None
    token_id: str = ""

    @property
    def is_scoped(self) -> bool:
        """True if it reaches the jobs of some types or keys only."""
        return self.types is not None or self.keys is not None

    @property
    def is_restricted(self) -> bool:
        """True if its requests need a look of their own (web/restricted.py)."""
        return self.is_scoped or any(self.allowance)

    def reaches_job(self, job_type: str | None, key: str | None) -> bool:
        """True for a job of its types and keys."""
        return (self.types is None or job_type in self.types) and (
            self.keys is None or key in self.keys
        )

    def require_job(self, job_type: str, key: str | None) -> None:
        """Raises Forbidden for a job that it may not store. `key`: None where it is not known
        yet."""
        if self.types is not None and job_type not in self.types:
            raise Forbidden("The token is limited to some job types, and this is not one of them.")
        if self.keys is not None and key is not None and key not in self.keys:
            raise Forbidden("The token is limited to some keys, and the job has none of them.")

    def reads_only_own(self, access: Access) -> bool:
        """True if it lacks this right, but may see the jobs that it has enqueued itself."""
        return access not in self.rights and bool(self.subject) and "enqueue" in self.rights

    def require(self, access: Access, *, own: bool = False) -> None:
        """Raises Forbidden without the right. `own`: the operation also opens to a caller who sees
        only its own jobs."""
        if access in self.rights or (own and self.reads_only_own(access)):
            return
        has = ", ".join(sorted(self.rights)) or "none"
        raise Forbidden(f"This needs the right {access!r}; the token has: {has}.")

    def require_queue(self, name: str | None) -> None:
        """Raises Forbidden for a queue that it does not reach, in the same words whether the queue
        exists or not. None: whatever is no queue's."""
        if self.queues is not None and name not in self.queues:
            raise Forbidden("The token is limited to some queues, and this is not one of them.")


PUBLIC = Caller("public")
"""Any caller, for operations that need no right."""
