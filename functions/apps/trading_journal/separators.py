"""What points and commas mean in numbers. A file has one convention, that of the program or of the
country's settings with which it was written; whether thousands are grouped differs by column.
"""

from __future__ import annotations

import re

from .rows import DecimalSign

_NUMBER = re.compile(r"[+-]?([0-9.,]+)([eE][+-]?[0-9]+)?")
_ONE_GROUP = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
_GROUPED = re.compile(r"[+-]?[1-9][0-9]{0,2}(?:\.[0-9]{3})+")
_WITH_COMMA = re.compile(
    r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?(?:[eE][+-]?[0-9]+)?"
)


def decimal_sign(text: str) -> DecimalSign | None:
    """The decimal sign in whose convention this is a number; None where it tells none, as 1840,
    41.000 or 1,234."""
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    digits = match[1]
    points, commas = digits.count("."), digits.count(",")
    if points and commas:
        return "point" if digits.rfind(".") > digits.rfind(",") else "comma"
    if points + commas == 0 or (_ONE_GROUP.fullmatch(digits) and not match[2]):
        return None
    is_point = points > 0
    if points + commas > 1:  # it stands between thousands
        is_point = not is_point
    return "point" if is_point else "comma"


def may_be_grouped(text: str) -> bool:
    """True for a number like 41.000, whose points may stand between thousands."""
    return _GROUPED.fullmatch(text) is not None


def with_point(text: str) -> str | None:
    """A number with a decimal comma, and maybe with points between thousands, as one with a decimal
    point. A text that is no number stays; None for a number that is written in another way."""
    if _NUMBER.fullmatch(text) is None:
        return text
    if _WITH_COMMA.fullmatch(text) is None:
        return None
    return text.replace(".", "").replace(",", ".")
