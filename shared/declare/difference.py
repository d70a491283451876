"""What differs between a value and what JSON gives back of it."""

from __future__ import annotations

import dataclasses
import math
from collections import deque
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from pydantic import BaseModel

_CHANGED = "it would read back as another value; give it a type or a serializer that JSON keeps"
_SECONDS = "its offset from UTC has seconds, which JSON's instants don't hold; give it in UTC"
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - wall clocks are subtracted from it


def difference(given: object, read: object, path: str) -> dict[str, str] | None:
    """The `field` that reads back as another value, and the `message` why; None where all are the
    same. Private attributes and cached properties are no part of a payload."""
    if _equal(given, read):
        return None
    pairs = _parts(given, read) if type(given) is type(read) else None
    if pairs is None:
        return {"field": path, "message": _SECONDS if _has_seconds(given) else _CHANGED}
    for name, one, other in pairs:
        changed = difference(one, other, f"{path}.{name}")
        if changed is not None:
            return changed
    return None


def _equal(given: object, read: object) -> bool:
    try:
        if isinstance(given, float) and isinstance(read, float) and math.isnan(given):
            return math.isnan(read)
        if isinstance(given, datetime) and isinstance(read, datetime):
            return _same_instant(given, read)
        # An object without an equality of its own can't be told from another one of its class.
        opaque = type(given).__eq__ is object.__eq__ and type(given) is type(read)
        return opaque or bool(given == read)
    except Exception:  # noqa: BLE001 - any class may compare in any way
        return type(given) is type(read)


def _same_instant(given: datetime, read: datetime) -> bool:
    """Whether both are one instant. Python's == never says so of one at which clocks change, where
    the two have different zones (PEP 495); and JSON keeps the offset of a zone, not its name."""
    ours, theirs = given.utcoffset(), read.utcoffset()
    if ours is None or theirs is None:
        return given == read
    # The difference, because the instant in UTC may be in no year that `datetime` has.
    return given.replace(tzinfo=None) - read.replace(tzinfo=None) == ours - theirs


def _has_seconds(value: object) -> bool:
    offset = value.utcoffset() if isinstance(value, datetime) else None
    return offset is not None and bool(offset % timedelta(minutes=1))


def _parts(given: object, read: object) -> list[tuple[object, object, object]] | None:
    """The parts of two values of one class, by name; None where their shapes differ."""
    ours: Mapping[Any, object]
    theirs: Mapping[Any, object]
    if isinstance(given, BaseModel) and isinstance(read, BaseModel):
        ours, theirs = _fields(given), _fields(read)
    elif dataclasses.is_dataclass(given):
        names = [field.name for field in dataclasses.fields(given) if field.compare]
        ours, theirs = ({name: getattr(one, name) for name in names} for one in (given, read))
    elif isinstance(given, Mapping) and isinstance(read, Mapping):
        ours, theirs = _by_key(given), _by_key(read)
    elif isinstance(given, AbstractSet) and isinstance(read, AbstractSet):
        ours, theirs = _by_key(dict.fromkeys(given)), _by_key(dict.fromkeys(read))
    elif isinstance(given, list | tuple | deque) and isinstance(read, list | tuple | deque):
        ours, theirs = dict(enumerate(given)), dict(enumerate(read))
    else:
        return None
    if ours.keys() != theirs.keys():
        return None
    return [(name, ours[name], theirs[name]) for name in ours]


def _by_key(values: Mapping[Any, object]) -> dict[Any, object]:
    """The values by keys that are equal for one instant."""
    return {_key(name): value for name, value in values.items()}


def _key(name: object) -> object:
    if not isinstance(name, datetime):
        return name
    offset = name.utcoffset()
    if offset is None:
        return name
    return "instant", name.replace(tzinfo=None) - _EPOCH - offset


def _fields(model: BaseModel) -> dict[Any, Any]:
    values = vars(model)
    fields: dict[Any, Any] = {
        name: values[name] for name in type(model).model_fields if name in values
    }
    return fields | (model.model_extra or {})
