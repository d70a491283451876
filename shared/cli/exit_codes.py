"""The exit codes of `tidegate`, and the code of each error."""

from __future__ import annotations

from enum import IntEnum

from ..errors import (
    ArchiveError,
    ConfigurationError,
    InvalidOption,
    InvalidPayload,
    InvalidRequest,
    JobNotFound,
    PayloadTooLarge,
    QuotaExceeded,
    Refused,
    Throttled,
    TidegateError,
    UnknownOutcome,
    UnknownQueue,
    UnknownSchedule,
    UnknownToken,
    UnknownType,
    Unreachable,
)


class Exit(IntEnum):
    """The exit codes. docs/cli.md has the same table."""

    OK = 0
    """Success, also if there was nothing to do."""
    FAILED = 1
    """The command ran and its result is bad: a failed check, a skipped line, a bug of ours."""
    USAGE = 2
    """The input can't be used: an option or a payload. Nothing was stored."""
    NOT_FOUND = 3
    """No such job, queue, schedule, job type, dead letter or token."""
    STORE = 4
    """The store can't be reached, did not answer, or is throttling. Trying again may help."""
    CONFIGURATION = 5
    """A setting or a declaration can't work, or the store refuses the token. Trying again won't."""
    INTERRUPTED = 130
    """Ctrl-C before the command had done its work. `dev` and `store` run until it comes: 0."""
    TERMINATED = 143
    """The same for SIGTERM."""


_CODES: tuple[tuple[tuple[type[TidegateError], ...], Exit], ...] = (
    ((InvalidOption, InvalidPayload, InvalidRequest, PayloadTooLarge), Exit.USAGE),
    ((JobNotFound, UnknownQueue, UnknownSchedule, UnknownToken, UnknownType), Exit.NOT_FOUND),
    ((ConfigurationError, Refused), Exit.CONFIGURATION),
    ((ArchiveError, Unreachable, UnknownOutcome, Throttled, QuotaExceeded), Exit.STORE),
)


def exit_of(error: TidegateError) -> Exit:
    """The exit code of an error."""
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), Exit.FAILED)
