"""The cache service through its public face, on a real server behind the REST protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr, field_serializer

from shared import Cache, ConfigurationError
from shared.cache import CacheClient
from shared.cache.cache import LARGEST_VALUE, LONGEST_TTL, REST_SECONDS
from shared.config.settings import Settings
from shared.connect import connect_cache
from shared.embedded.engine import Engine
from shared.errors import StoreError
from shared.testing import Fate, embedded_store
from tests.support.world import World


class Look(BaseModel):
    """A value that a careless round trip loses."""

    user_id: str = Field(alias="userId")


class Secret(BaseModel):
    """A value that JSON masks."""

    code: SecretStr = SecretStr("shh")


class ExcludedField(BaseModel):
    """A value with a field that is not written."""

    token: str = Field(default="none", exclude=True)


class RoundedField(BaseModel):
    """A value that is not written in full."""

    price: float

    @field_serializer("price")
    def round(self, price: float) -> float:
        return round(price, 2)


class Base(BaseModel):
    """A value that a subclass may stand for."""

    a: int


class DerivedModel(Base):
    b: int = 0


class Same(BaseModel):
    """Written as Base is."""

    a: int


Make = Callable[..., Cache[Any]]


@pytest.fixture
def make(world: World) -> Make:
    """A cache of the test's store."""

    def cache(name: str = "looks", model: Any = str, **options: Any) -> Cache[Any]:
        client = CacheClient(world.store.rest, "test")
        return Cache(name, model, client=lambda: client, **options)

    return cache


def by_user(key: str) -> list[str]:
    return [key.partition(":")[0]]


async def commands(world: World, action: Awaitable[Any]) -> int:
    before = world.store.meter.snapshot()
    await action
    return world.store.meter.since(before).commands


async def test_a_value_comes_back_until_it_is_deleted(make: Make) -> None:
    cache = make()

    assert await cache.get("a") is None
    assert not await cache.exists("a")
    assert await cache.set("a", "x")
    assert await cache.get("a") == "x"
    assert await cache.exists("a")
    assert await cache.delete("a", "b") == 1
    assert await cache.get("a") is None
    assert await cache.delete() == 0


@pytest.mark.parametrize(
    ("model", "value"),
    [
        (int, 0),
        (list[str], []),
        (dict[str, float], {"ä\x00\u2028": 0.1}),
        (bool, False),
        (Look, Look(userId="u")),
        (str, "\n \n"),
        (datetime, datetime(2026, 1, 1, tzinfo=UTC)),
        (set[int], {1, 2}),
        (tuple[int, str], (1, "a")),
        (Base | None, Base(a=1)),
    ],
)
async def test_a_value_is_read_as_it_was_written(make: Make, model: Any, value: Any) -> None:
    cache = make(model=model)
    loads = 0

    async def load() -> Any:
        nonlocal loads
        loads += 1
        return value

    assert await cache.get_or_load("k", load) == value
    assert await cache.get_or_load("k", load) == value == await cache.get("k")
    assert loads == 1


LOST = [
    (Secret, Secret()),
    (float, float("nan")),
    (ExcludedField, ExcludedField(token="t")),
    (RoundedField, RoundedField(price=1.23456)),
    (list[RoundedField], [RoundedField(price=1.23456)]),
    (Base, DerivedModel(a=1, b=2)),
    (list[Base], [DerivedModel(a=1, b=2)]),
    (Base | Same, Same(a=1)),
    (Base, {"a": 1}),
    (Any, Base(a=1)),
    (dict[str, Any], {"at": datetime(2026, 1, 1, tzinfo=UTC)}),
    (Any, (1, 2)),
    (object, {"a": {1, 2}}),
]


@pytest.mark.parametrize(("model", "value"), LOST)
async def test_a_value_that_would_not_be_read_as_it_was_written_is_refused(
    make: Make, model: Any, value: Any
) -> None:
    cache = make(model=model)

    with pytest.raises(ValueError, match="not read back as it was written"):
        await cache.set("k", value)
    assert await cache.get("k") is None


async def test_an_entry_lives_a_little_less_than_its_time(make: Make, engine: Engine) -> None:
    cache = make(ttl=60)
    for n in range(20):
        await cache.set(f"k{n}", "x")
    await cache.set("short", "x", ttl=0.5)

    async def life(key: str) -> int:
        return cast("int", await engine.execute(["PTTL", f"test:cache:looks:entry:{key}"]))

    lives = [await life(f"k{n}") for n in range(20)]
    short = await life("short")

    assert all(53_000 < one <= 60_000 for one in lives)
    assert max(lives) - min(lives) > 100  # spread over a tenth
    assert 0 < short <= 500


@pytest.mark.parametrize("ttl", [0, -1, LONGEST_TTL + 1, float("nan"), float("inf")])
async def test_a_lifetime_out_of_range_is_refused(make: Make, ttl: float) -> None:
    with pytest.raises(ConfigurationError, match="ttl="):
        make(ttl=ttl)
    with pytest.raises(ConfigurationError, match="ttl="):
        await make().set("k", "x", ttl=ttl)


@pytest.mark.parametrize("key", ["", "x" * 513, "ä" * 257, "\ud800"])
async def test_a_key_out_of_range_is_refused(make: Make, key: str) -> None:
    with pytest.raises(ValueError, match=r"cache key|surrogates"):
        await make().get(key)


async def test_two_caches_and_two_prefixes_do_not_meet(make: Make, world: World) -> None:
    one, two = make("one"), make("two")
    other = Cache("one", str, client=lambda: CacheClient(world.store.rest, "other"))
    await one.set("k", "x")

    assert await two.get("k") is None
    assert await other.get("k") is None


async def test_an_invalidated_tag_makes_its_entries_a_miss_and_no_others(make: Make) -> None:
    cache = make(tags=by_user)
    for key in ("ann:berlin", "ann:oslo", "bob:berlin"):
        await cache.set(key, key)

    await cache.invalidate("ann")

    assert await cache.get("ann:berlin") is None
    assert await cache.get("ann:oslo") is None
    assert await cache.get("bob:berlin") == "bob:berlin"
    await cache.set("ann:berlin", "new")
    assert await cache.get("ann:berlin") == "new"


async def test_what_was_loaded_before_an_invalidation_is_not_read_after_it(make: Make) -> None:
    cache = make(tags=by_user)

    async def load_slowly() -> str:
        await cache.invalidate("ann")  # the preference changes while the old one is being loaded
        return "old"

    assert await cache.get_or_load("ann:berlin", load_slowly) == "old"
    assert await cache.get("ann:berlin") is None


@given(steps=st.lists(st.sampled_from(["set a", "set b", "drop x", "drop y", "lose x", "lose y"])))
def test_a_read_never_answers_an_entry_older_than_its_tags_last_invalidation(
    steps: list[str],
) -> None:
    async def play() -> None:
        async with embedded_store() as store:
            cache = Cache("c", str, tags=lambda key: ["x"] if key == "a" else ["x", "y"])
            fresh: dict[str, str] = {}
            for number, step in enumerate(steps):
                verb, _, name = step.partition(" ")
                if verb == "set":
                    fresh[name] = f"{number}"
                    await cache.set(name, fresh[name])
                elif verb == "drop":
                    await cache.invalidate(name)
                    for key in ("a", "b") if name == "x" else ("b",):
                        fresh.pop(key, None)
                else:  # the version expires or is evicted, and its entries are not
                    await store.rest.execute(["DEL", f"test:cache:c:tag:{name}"], "test")
                    for key in ("a", "b") if name == "x" else ("b",):
                        fresh.pop(key, None)
                for key in ("a", "b"):
                    assert await cache.get(key) in (fresh.get(key), None)
                    if key in fresh:
                        assert await cache.get(key) == fresh[key]

    asyncio.run(play())


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(
    "meanwhile", [["drop"], ["drop", "lose"], ["lose", "drop"], ["drop", "lose", "set other"]]
)
async def test_what_is_lost_during_a_load_revives_nothing(
    make: Make, world: World, known: bool, meanwhile: list[str]
) -> None:
    cache = make(tags=by_user)
    if known:
        await cache.invalidate("ann")

    async def load() -> str:
        for step in meanwhile:
            if step == "drop":
                await cache.invalidate("ann")
            elif step == "lose":
                await world.store.rest.execute(["DEL", "test:cache:looks:tag:ann"], "test")
            else:
                await cache.set("ann:oslo", "new")
        return "old"

    assert await cache.get_or_load("ann:berlin", load) == "old"
    assert await cache.get("ann:berlin") is None


async def test_keys_that_are_loaded_together_share_the_first_version_of_their_tag(
    make: Make,
) -> None:
    cache = make(tags=by_user)

    async def load() -> str:
        return "x"

    places = [f"ann:{n}" for n in range(10)]
    await asyncio.gather(*(cache.get_or_load(place, load) for place in places))

    assert [await cache.get(place) for place in places] == ["x"] * 10


TAGS: list[Any] = ["ann", b"ann", None, 5, [5], ["ann", None]]


@pytest.mark.parametrize("tags", TAGS)
async def test_tags_that_are_no_texts_are_refused(make: Make, tags: Any) -> None:
    cache = make(tags=lambda _key: tags)
    for call in (cache.get("k"), cache.set("k", "x")):
        with pytest.raises(TypeError, match="it must be a list of texts"):
            await call


async def later(_key: str) -> list[str]:
    return ["ann"]


@pytest.mark.parametrize("tags", [later, lambda: ["ann"], lambda _a, _b: ["ann"]])
def test_a_tags_function_that_can_not_work_is_refused(make: Make, tags: Any) -> None:
    with pytest.raises(ConfigurationError, match="tags is a plain function of one argument"):
        make(tags=tags)


@pytest.mark.parametrize(
    "tags", [lambda key: {key}, lambda key: (key,), lambda key: iter([key]), by_user]
)
async def test_tags_may_be_any_iterable_of_texts(make: Make, tags: Any) -> None:
    cache = make(tags=tags)
    await cache.set("ann", "x")
    assert await cache.get("ann") == "x"
    await cache.invalidate("ann")
    assert await cache.get("ann") is None


async def test_callers_of_one_load_do_not_share_its_value(make: Make) -> None:
    cache = make(model=list[int])

    async def load() -> list[int]:
        await asyncio.sleep(0)
        return [1]

    async def change(number: int) -> list[int]:
        value: list[int] = await cache.get_or_load("k", load)
        value.append(number)
        return value

    answers = await asyncio.gather(*(change(n) for n in range(3)))

    assert answers == [[1, 0], [1, 1], [1, 2]]


async def test_costs_in_commands(make: Make, world: World) -> None:
    plain, tagged = make("plain"), make("tagged", tags=by_user)

    async def load() -> str:
        return "x"

    assert await commands(world, plain.get("k")) == 1
    assert await commands(world, plain.set("k", "x")) == 1
    assert await commands(world, plain.exists("k")) == 1
    assert await commands(world, plain.delete("k")) == 1
    assert await commands(world, plain.get_or_load("k", load)) == 2
    assert await commands(world, plain.get_or_load("k", load)) == 1
    assert await commands(world, tagged.get("ann:b")) == 1
    assert await commands(world, tagged.set("ann:b", "x")) == 3  # its tag had no version
    assert await commands(world, tagged.set("ann:b", "x")) == 2
    assert await commands(world, tagged.get_or_load("ann:c", load)) == 2
    assert await commands(world, tagged.get_or_load("bob:c", load)) == 3
    assert await commands(world, tagged.invalidate("ann")) == 1


async def test_callers_that_miss_together_share_one_load(make: Make) -> None:
    cache, loads = make(), 0

    async def load() -> str:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        return "x"

    answers = await asyncio.gather(*(cache.get_or_load("k", load) for _ in range(50)))

    assert answers == ["x"] * 50
    assert loads == 1


async def test_a_failed_load_reaches_each_caller_and_the_next_one_loads_anew(make: Make) -> None:
    cache, loads = make(), 0

    async def load() -> str:
        nonlocal loads
        loads += 1
        await asyncio.sleep(0)
        raise LookupError(loads)

    answers = await asyncio.gather(
        *(cache.get_or_load("k", load) for _ in range(5)), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [LookupError] * 5
    assert loads == 1
    with pytest.raises(LookupError):
        await cache.get_or_load("k", load)
    assert loads == 2


async def waiting_for(key: str, cache: Cache[Any], number: int) -> None:
    """Return when so many tasks of this test have read `key` and wait for its load."""
    reads = [asyncio.create_task(cache.get(key)) for _ in range(number)]
    await asyncio.gather(*reads)  # requests are answered in order


async def test_a_cancelled_caller_does_not_cancel_the_others(make: Make, world: World) -> None:
    cache, entered, go = make(), asyncio.Event(), asyncio.Event()

    async def load() -> str:
        entered.set()
        await go.wait()
        return "x"

    first = asyncio.create_task(cache.get_or_load("k", load))
    await entered.wait()
    second = asyncio.create_task(cache.get_or_load("k", load))
    third = asyncio.create_task(cache.get_or_load("k", load))
    await waiting_for("k", cache, 2)
    first.cancel()
    third.cancel()
    go.set()

    assert await second == "x"
    with pytest.raises(asyncio.CancelledError):
        await first
    with pytest.raises(asyncio.CancelledError):
        await third


@pytest.mark.parametrize("chain", [["k"], ["k", "l"], ["k", "l", "m"]])
async def test_a_load_that_asks_for_its_own_key_is_told(make: Make, chain: list[str]) -> None:
    """Directly, or through the loads of other keys, also of another cache."""
    caches = {key: make(f"c{key}") for key in chain}
    following = dict(zip(chain, [*chain[1:], chain[0]], strict=True))

    def load(key: str) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            other = following[key]
            (value,) = await asyncio.gather(caches[other].get_or_load(other, load(other)))
            return str(value)

        return ask

    with pytest.raises(
        RuntimeError, match=r"get_or_load\('k'\) inside the load of .* wait for itself"
    ):
        await caches["k"].get_or_load("k", load("k"))


async def test_two_loads_that_ask_for_each_other_are_told(make: Make) -> None:
    cache, both = make(), asyncio.Barrier(2)

    def load(other: str) -> Callable[[], Awaitable[str]]:
        async def ask() -> str:
            await both.wait()
            value: str = await cache.get_or_load(other, load("nobody"))
            return value

        return ask

    answers = await asyncio.gather(
        cache.get_or_load("a", load("b")), cache.get_or_load("b", load("a")), return_exceptions=True
    )

    assert [type(answer) for answer in answers] == [RuntimeError] * 2


async def test_a_load_may_ask_for_other_keys_that_others_load(make: Make) -> None:
    cache, go = make(), asyncio.Event()

    async def slow() -> str:
        await go.wait()
        return "x"

    async def outer() -> str:
        go.set()
        first, again = [await cache.get_or_load("inner", slow) for _ in range(2)]
        return f"{first}{again}"

    inner = asyncio.create_task(cache.get_or_load("inner", slow))
    await asyncio.sleep(0)

    assert await cache.get_or_load("outer", outer) == "xx"
    assert await cache.get_or_load("outer", outer) == "xx"
    assert await inner == "x"


async def test_none_is_answered_and_not_stored(make: Make) -> None:
    cache, loads = make(), 0

    async def load() -> None:
        nonlocal loads
        loads += 1

    assert await cache.get_or_load("k", load) is None
    assert await cache.get_or_load("k", load) is None
    assert loads == 2
    with pytest.raises(ValueError, match="can't hold None"):
        await cache.set("k", None)


async def test_a_value_of_another_shape_is_a_miss(make: Make) -> None:
    await make(model=list[int]).set("k", [1])

    assert await make(model=str).get("k") is None


async def test_a_value_that_is_too_large_is_answered_and_not_stored(make: Make) -> None:
    cache = make()
    huge = "x" * (LARGEST_VALUE + 1)

    async def load() -> str:
        return huge

    assert await cache.get_or_load("k", load) == huge
    assert await cache.get("k") is None
    assert not await cache.set("k", huge)


@pytest.fixture
async def away(world: World) -> Cache[str]:
    """A cache whose store does not answer."""
    store = world.client([Fate.LOST_BEFORE] * 100)
    client = CacheClient(store.rest, "test")
    return Cache("looks", str, client=lambda: client, tags=by_user)


async def test_without_the_store_a_read_is_a_miss_and_a_load_is_answered(
    away: Cache[str], world: World
) -> None:
    async def load() -> str:
        return "from the database"

    began = world.clock.monotonic()
    assert await away.get_or_load("ann:b", load) == "from the database"
    assert await away.get("ann:b") is None
    assert not await away.exists("ann:b")
    assert not await away.set("ann:b", "x")
    assert world.clock.monotonic() - began < 1.0  # it is asked once, and left alone for a while


async def test_without_the_store_an_invalidation_fails_loudly(away: Cache[str]) -> None:
    with pytest.raises(StoreError):
        await away.invalidate("ann")
    with pytest.raises(StoreError):
        await away.delete("ann:b")


async def test_the_store_is_asked_again_after_a_while(world: World) -> None:
    network = {"up": False}
    fates = (Fate.DELIVERED if network["up"] else Fate.LOST_BEFORE for _ in count())
    client = CacheClient(world.client(fates).rest, "test")
    cache: Cache[str] = Cache("looks", str, client=lambda: client)

    assert await cache.get("k") is None
    network["up"] = True
    assert await cache.set("k", "x")
    assert await cache.get("k") is None
    await world.clock.sleep(REST_SECONDS)

    assert await cache.get("k") == "x"


async def test_the_environment_decides_where_a_cache_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TIDEGATE_CACHE_REST_URL", "https://cache.example")
    monkeypatch.setenv("TIDEGATE_CACHE_REST_TOKEN", "t" * 20)
    monkeypatch.setenv("UPSTASH_REDIS_REST_URL", "https://queues.example")
    monkeypatch.setenv("UPSTASH_REDIS_REST_TOKEN", "q" * 20)

    settings = Settings.from_env()
    rest = connect_cache(settings)

    with pytest.raises(StoreError, match=r"cache\.example"):  # a name that is never registered
        await rest.execute(["GET", "k"], "test", within=0.1)
    await rest.close()
    assert "t" * 20 not in repr(settings)


@pytest.mark.parametrize(
    ("url", "token"), [("https://cache.example", ""), ("http://cache.example", "t" * 20)]
)
def test_a_cache_database_that_can_not_work_is_refused(url: str, token: str) -> None:
    with pytest.raises(ConfigurationError, match="TIDEGATE_CACHE_REST_URL"):
        Settings.from_env({"TIDEGATE_CACHE_REST_URL": url, "TIDEGATE_CACHE_REST_TOKEN": token})
