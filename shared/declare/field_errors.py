"""Validation errors as fields and messages for callers. Nothing of the input is repeated."""

from __future__ import annotations

from pydantic import ValidationError

from ..jobs.history import sanitize

MOST_ERRORS, MOST_READ = 20, 1000
LONGEST_NAME = 64
LONGEST_MESSAGE = 200


def field_errors(error: ValidationError, prefix: str = "") -> list[dict[str, str]]:
    """A validation error as `[{"field", "message"}]`, the first 20. More than 1,000 are
    counted only: pydantic has them all at once or none."""
    count = error.error_count()
    if count > MOST_READ:
        return [{"field": prefix, "message": f"{count:,} places do not fit"}]
    details = error.errors(include_url=False, include_context=False, include_input=False)
    return [
        {
            "field": ".".join(_name(part) for part in (prefix, *detail["loc"]) if part != ""),
            "message": sanitize(detail["msg"])[:LONGEST_MESSAGE],
        }
        for detail in details[:MOST_ERRORS]
    ]


def sentence(fields: list[dict[str, str]]) -> str:
    """The first five as one sentence."""
    return "; ".join(f"{one['field']}: {one['message']}" for one in fields[:5])


def _name(part: str | int) -> str:
    return sanitize(str(part))[:LONGEST_NAME]
