"""What is stored is what the payload's model reads back, or the enqueue is refused by name."""

from __future__ import annotations

import dataclasses
import datetime as dt
import decimal
import enum
import math
import re
import uuid
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PlainSerializer,
    PrivateAttr,
    RootModel,
    SecretStr,
    computed_field,
    field_serializer,
)

from shared import App
from shared.declare.queue import JobType
from shared.errors import InvalidPayload, PayloadTooLarge


def job_type(model: Any, **options: Any) -> JobType[Any]:
    """A job type whose payload is this model."""

    async def handle(payload: BaseModel) -> None: ...

    handle.__annotations__["payload"] = model
    return App("app").queue("q", **options).job("t")(handle)


class Colour(enum.Enum):
    RED = "r"


class Plain(BaseModel):
    n: int = 0
    text: str = ""


class AliasedField(BaseModel):
    user_id: int = Field(alias="userId")


class ByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    user_id: int = Field(alias="userId")


class ReadByName(BaseModel):
    model_config = ConfigDict(populate_by_name=True)

    user_id: int = Field(validation_alias="userId", serialization_alias="user-id")


class ComputedField(BaseModel):
    model_config = ConfigDict(extra="forbid")

    n: int

    @computed_field  # type: ignore[prop-decorator] # mypy does not know it
    @property
    def double(self) -> int:
        return 2 * self.n


class CachedField(BaseModel):
    n: int

    @cached_property
    def twice(self) -> int:
        return 2 * self.n


class Private(BaseModel):
    n: int
    _lock: object = PrivateAttr(default_factory=object)


class NestedModel(BaseModel):
    inner: Private
    many: list[Private] = []
    named: dict[str, Private] = {}


class Odd(BaseModel):
    at: dt.datetime
    span: dt.timedelta
    price: decimal.Decimal
    colour: Colour
    key: uuid.UUID
    path: Path
    pair: tuple[int, str]
    flags: frozenset[int]
    raw: Json[list[int]]


class NotANumber(BaseModel):
    model_config = ConfigDict(ser_json_inf_nan="constants")

    x: float


class Extra(BaseModel):
    model_config = ConfigDict(extra="allow")


class OpenedSecret(BaseModel):
    secret: SecretStr

    @field_serializer("secret", when_used="json")
    def keep(self, secret: SecretStr) -> str:
        return secret.get_secret_value()


Numbers = RootModel[list[int]]

KEPT: list[BaseModel] = [
    Plain(n=1, text="ü\u2028"),
    AliasedField(userId=1),
    ByName(user_id=1),
    ReadByName(user_id=1),
    ComputedField(n=1),
    CachedField(n=1),
    Private(n=1),
    NestedModel(inner=Private(n=1), many=[Private(n=2)], named={"a": Private(n=3)}),
    Odd(
        at=dt.datetime(2026, 1, 17, 9, tzinfo=dt.UTC),
        span=dt.timedelta(microseconds=1),
        price=decimal.Decimal("1.10"),
        colour=Colour.RED,
        key=uuid.UUID(int=1),
        path=Path("a/b"),
        pair=(1, "a"),
        flags=frozenset({1, 2}),
        raw="[1]",
    ),
    Extra(more=[1]),
    OpenedSecret(secret=SecretStr("x")),
    Numbers([1, 2]),
]


@pytest.mark.parametrize("payload", KEPT, ids=lambda payload: type(payload).__name__)
def test_a_payload_that_reads_back_alike_is_stored(payload: BaseModel) -> None:
    if isinstance(payload, CachedField):
        assert payload.twice == 2

    made = job_type(type(payload)).job(payload)

    read = type(payload).model_validate_json(made.payload)
    assert read.model_dump_json() == payload.model_dump_json()


class Secret(BaseModel):
    password: SecretStr


class ExcludedField(BaseModel):
    n: int = Field(1, exclude=True)


class RoundedField(BaseModel):
    x: Annotated[float, PlainSerializer(lambda x: round(x, 1), return_type=float)]


class OneWay(BaseModel):
    user_id: int = Field(validation_alias="userId")


class Cat(BaseModel):
    name: str


class Dog(BaseModel):
    name: str


class Pet(BaseModel):
    pet: Cat | Dog


class Loose(BaseModel):
    more: Any = None
    inner: Plain = Plain()


class Strict(BaseModel):
    model_config = ConfigDict(strict=True)

    kind: Literal["a"] = "a"


class Special(Plain):
    extra: int = 0


class Infinite(BaseModel):
    x: float


def assigned(model: BaseModel, **values: Any) -> BaseModel:
    """A model whose attributes were set without validation."""
    for name, value in values.items():
        setattr(model, name, value)
    return model


def constructed(model: Any, **values: Any) -> Any:
    """A model that was made without validation."""
    return model.model_construct(**values)


LOST: list[tuple[type[BaseModel], object, str]] = [
    (Secret, Secret(password=SecretStr("x")), "payload.password: it would read back as another"),
    (ExcludedField, ExcludedField(n=2), "payload.n: it would read back"),
    (RoundedField, RoundedField(x=0.123), "payload.x: it would read back"),
    (OneWay, OneWay(userId=1), "payload.userId: Field required; what it writes as JSON is not"),
    (Pet, Pet(pet=Dog(name="Rex")), "payload.pet: it would read back"),
    (Loose, Loose(more=(1, 2)), "payload.more: it would read back"),
    (Loose, Loose(more=dt.date(2026, 1, 1)), "payload.more: it would read back"),
    (Loose, Loose(more=b"\xff"), "payload: it can't be written as JSON"),
    (Loose, Loose(more=object()), "payload: it can't be written as JSON"),
    (Loose, Loose(inner=Special(extra=1)), "payload.inner: it would read back"),
    (Infinite, Infinite(x=math.inf), "payload.x"),
    (NotANumber, NotANumber(x=math.nan), "payload: a number is out of range"),
    (Plain, assigned(Plain(), n=None), "payload.n"),
    (Plain, assigned(Plain(), n="7"), "payload.n: it would read back"),
    (Plain, constructed(Plain, n="x"), "payload.n"),
    (Strict, constructed(Strict, kind="b"), "payload.kind"),
    (Plain, Special(), "job type 't' takes Plain, not Special"),
    (Plain, Cat(name="x"), "job type 't' takes Plain, not Cat"),
    (Plain, {"n": 1}, "job type 't' takes Plain, not dict"),
    (Plain, None, "job type 't' takes Plain, not NoneType"),
]


@pytest.mark.parametrize(("model", "payload", "sentence"), LOST)
def test_a_payload_that_would_read_back_otherwise_is_refused_by_name(
    model: type[BaseModel], payload: Any, sentence: str
) -> None:
    with pytest.raises(InvalidPayload, match=re.escape(sentence)) as caught:
        job_type(model).job(payload)

    assert "Rex" not in str(caught.value)


@dataclasses.dataclass
class Slot:
    at: dt.datetime


class Span(NamedTuple):
    begin: dt.datetime
    end: dt.datetime


class Inner(BaseModel):
    at: dt.datetime


class Instants(BaseModel):
    """One instant in each place that a payload has."""

    at: dt.datetime
    inner: Inner
    listed: list[dt.datetime]
    span: Span
    slot: Slot
    by_name: dict[str, dt.datetime]
    by_instant: dict[dt.datetime, int]
    instants: set[dt.datetime]

    @classmethod
    def of(cls, at: dt.datetime) -> Instants:
        return cls(
            at=at,
            inner=Inner(at=at),
            listed=[at, at],
            span=Span(at, at),
            slot=Slot(at),
            by_name={"a": at},
            by_instant={at: 1},
            instants={at},
        )


ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")
CHANGES = [
    dt.datetime(2026, 10, 25, 2, 30),  # noqa: DTZ001 - wall clocks; zones come later
    dt.datetime(2026, 11, 1, 1, 30),  # noqa: DTZ001
    dt.datetime(2027, 3, 28, 2, 30),  # noqa: DTZ001
    dt.datetime(2026, 4, 5, 1, 45),  # noqa: DTZ001
    dt.datetime(9999, 12, 31, 23, 59),  # noqa: DTZ001
]
WALLS = st.sampled_from(CHANGES) | st.datetimes(dt.datetime(1980, 1, 1))  # noqa: DTZ001


@given(WALLS, st.sampled_from(ZONES), st.sampled_from([0, 1]))
def test_an_instant_at_which_clocks_change_is_stored_exactly(
    wall: dt.datetime, zone: str, fold: int
) -> None:
    at = wall.replace(tzinfo=ZoneInfo(zone), fold=fold)

    text = job_type(Instants).job(Instants.of(at)).payload

    read = Instants.model_validate_json(text)
    span, instants = read.span, [*read.by_instant, *read.instants, *read.listed]
    for one in [read.at, read.inner.at, read.slot.at, *span, *instants, *read.by_name.values()]:
        assert one.utcoffset() == at.utcoffset()
        assert one.replace(tzinfo=None) == wall


@pytest.mark.parametrize(
    "at",
    [
        dt.datetime(1890, 1, 1, tzinfo=ZoneInfo("Europe/Berlin")),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=-3, seconds=-7))),
        dt.datetime(2026, 1, 1, tzinfo=dt.timezone(dt.timedelta(microseconds=5))),
    ],
)
def test_an_offset_with_seconds_is_refused_for_what_it_is(at: dt.datetime) -> None:
    with pytest.raises(InvalidPayload, match=r"payload\.at: its offset from UTC has seconds"):
        job_type(Inner).job(Inner(at=at))

    job_type(Inner).job(Inner(at=at.astimezone(dt.UTC)))


@pytest.mark.parametrize("shape", ["at", "instants", "by_instant", "slot"])
def test_another_instant_is_told_from_it_in_each_place(shape: str) -> None:
    class Later(Instants):
        @field_serializer(shape, when_used="json")
        def later(self, _value: object) -> Any:
            return getattr(Instants.of(self.inner.at + dt.timedelta(hours=1)), shape)

    at = dt.datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    with pytest.raises(InvalidPayload, match=f"payload.{shape}.*: it would read back"):
        job_type(Later).job(Later.of(at))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(JSON)
def test_whatever_a_loose_field_holds_is_read_back_or_refused(value: Any) -> None:
    made = job_type(Loose)
    try:
        text = made.job(Loose(more=value)).payload
    except InvalidPayload:
        return
    assert Loose.model_validate_json(text).more == value


def test_python_has_the_payload_limit_of_its_queue() -> None:
    limited = job_type(Plain, payload_limit=100)
    room = 100 - len('{"n":0,"text":""}')

    limited.job(Plain(text="x" * room))
    with pytest.raises(PayloadTooLarge, match="has 101 bytes; queue 'q' takes 100"):
        limited.job(Plain(text="x" * (room + 1)))
    with pytest.raises(PayloadTooLarge):
        limited.job(Plain(text="ü" * (room // 2 + 1)))
