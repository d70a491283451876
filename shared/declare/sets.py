"""Sets of a payload in one order. Python orders a set anew in each process (by the hash seed), and
texts that differ with it would be different payloads to deduplication and idempotency keys."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from pydantic import BaseModel, RootModel
from pydantic_core import from_json, to_json

from ..jobs.body import canonical

_PLAIN = frozenset({str, int, float, bool, type(None), bytes})


def with_sorted_sets(payload: BaseModel, text: str) -> str:
    """The text that the model wrote of the payload, with the members of each set in the order of
    their JSON texts. A set that a serializer writes as anything but a list stays as it is."""
    if "[" not in text or not _has_set(payload):
        return text
    return to_json(_sorted(payload, from_json(text))).decode()


def _has_set(value: object) -> bool:
    if isinstance(value, AbstractSet):
        return len(value) > 1 or any(map(_has_set, value))
    parts = _parts(value)
    return not _PLAIN.issuperset(map(type, parts)) and any(map(_has_set, parts))


def _parts(value: object) -> list[Any]:
    if isinstance(value, Mapping):
        return list(value.values())
    if isinstance(value, list | tuple | deque):
        return list(value)
    return [part for _, part in _fields(value)]


def _fields(value: object) -> Iterable[tuple[tuple[str, ...], Any]]:
    """The fields of a model or a dataclass, each with the names under which it may be written."""
    if isinstance(value, BaseModel):
        known = type(value).model_fields
        for name, part in {**vars(value), **(value.model_extra or {})}.items():
            field = known.get(name)
            alias = field and (field.serialization_alias or field.alias)
            yield ((alias, name) if alias else (name,)), part
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for one in dataclasses.fields(value):
            yield (one.name,), getattr(value, one.name, None)


def _sorted(value: object, written: Any) -> Any:
    """`written`, what JSON has of the value, with each list that is a set in order."""
    if isinstance(value, RootModel):
        return _sorted(value.root, written)
    if isinstance(written, list):
        parts = list(value) if isinstance(value, AbstractSet) else _parts(value)
        if len(parts) != len(written):
            return written
        items = [_sorted(part, one) for part, one in zip(parts, written, strict=True)]
        return sorted(items, key=canonical) if isinstance(value, AbstractSet) else items
    if not isinstance(written, dict):
        return written
    if isinstance(value, Mapping):  # written in its own order, keys as texts
        if len(value) != len(written):
            return written
        pairs = zip(value.values(), written.items(), strict=True)
        return {name: _sorted(part, one) for part, (name, one) in pairs}
    result = dict(written)
    for names, part in _fields(value):
        name = next((name for name in names if name in result), None)
        if name is not None:
            result[name] = _sorted(part, result[name])
    return result
