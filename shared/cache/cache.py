"""A cache: typed values with a lifetime, tags that invalidate many at once, and a load for misses.

An entry holds the versions that its tags had before its value was loaded. A read fetches the entry
and the present versions in one command. If one differs, the entry is a miss. So a value that was
loaded before an invalidation and written after it is never read.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from ..checks import check_function, check_type, checked, plain, require
from ..errors import ConfigurationError, StoreError
from ..jobs.ids import NAME_GRAMMAR, is_name
from ..store import keys
from .default_client import CacheClient, default_client
from .flights import Flights

log = logging.getLogger("tidegate.cache")

T = TypeVar("T")
DEFAULT_TTL = 60.0
LONGEST_TTL = 3600.0
"""Seconds. The version of an invalidated tag is kept for so long: older entries have expired."""
JITTER = 0.1
"""Share of a lifetime that is cut off at random: entries of one moment expire at different ones."""
WITHIN = 0.3
"""Seconds for one command: a slow cache must not be slower than the load that it saves."""
REST_SECONDS = 5.0
"""Seconds without a read after the store failed: until then every read is a miss."""
LARGEST_VALUE = 2**20
"""Bytes of JSON. A larger value is not cached."""
MOST_KEY_BYTES = 512
NO_VERSION = "-"


class _Read(NamedTuple):
    """What a read found. `versions`: of the key's tags now, None if the store did not answer."""

    value: object
    versions: str | None


class Cache(Generic[T]):
    """Values of one type under one name. `tags` gives the tags of a key, for `invalidate`.

    >>> looks = Cache("looks", list[str], ttl=60, tags=lambda key: [key.partition(":")[0]])
    >>> await looks.get_or_load("user-42:berlin", load)
    >>> await looks.invalidate("user-42")
    """

    @checked
    def __init__(
        self,
        name: str,
        model: type[T],
        *,
        ttl: float = DEFAULT_TTL,
        tags: Callable[[str], Iterable[str]] | None = None,
        client: Callable[[], CacheClient] | None = None,
    ) -> None:
        """`ttl`: seconds, above 0 and at most an hour. `client` gives the client of the running
        event loop; without it the environment decides. Raises ConfigurationError."""
        require(is_name(name), f"cache {name!r}: {NAME_GRAMMAR}")
        self.name = name
        self.ttl = _checked_ttl(ttl)
        self._adapter = _adapter_of(model, name)
        if tags is not None:
            check_function(tags, "the key", f"cache {name!r}: tags", may_yield=True)
        self._tags, self._client = tags, client or default_client
        self._flights: Flights[T] = Flights()
        self._rests_until = 0.0

    async def get(self, key: str) -> T | None:
        """The value, or None: not there, expired, invalidated, of another shape, or no answer from
        the store. One command."""
        return (await self._read(key)).value  # type: ignore[return-value]  # validated by _decode

    async def exists(self, key: str) -> bool:
        """True if `get` would answer a value. One command."""
        return await self.get(key) is not None

    async def set(self, key: str, value: T, *, ttl: float | None = None) -> bool:
        """Store a value for `ttl` seconds; False if it can't be. One command, two with tags."""
        versions = await self._versions(key)
        return versions is not None and await self._write(key, value, versions, ttl)

    async def delete(self, *cache_keys: str) -> int:
        """Delete entries; how many there were. A load that is under way stores its value all the
        same: `invalidate` stops that too. One command. Raises StoreError: they may still be
        read."""
        if not cache_keys:
            return 0
        client = self._client()
        names = [self._entry(client, key) for key in cache_keys]
        return int(await self._run(client, ["DEL", *names]))

    async def invalidate(self, tag: str) -> None:
        """Make each entry of this tag a miss, also one that is being loaded now. One command.
        Raises StoreError: they may still be read."""
        client, version = self._client(), secrets.token_hex(8)
        await self._run(client, ["SET", self._tag(client, tag), version, "PX", _ms(LONGEST_TTL)])

    async def get_or_load(
        self, key: str, load: Callable[[], Awaitable[T]], *, ttl: float | None = None
    ) -> T:
        """The value, or what `load` answers, which is then stored. Callers of this process that
        miss at the same time share one load. None is answered and not stored. A store that does
        not answer costs a load and nothing else. A load that asks for its own key raises
        RuntimeError."""
        read = await self._read(key)
        if read.value is not None:
            return read.value  # type: ignore[return-value]  # as in get

        async def load_and_store() -> T:
            value = await load()
            if value is not None and read.versions is not None:
                await self._write(key, value, read.versions, ttl)
            return value

        return await self._flights.run(key, load_and_store)

    async def _read(self, key: str) -> _Read:
        client = self._client()
        names = [self._entry(client, key), *(self._tag(client, tag) for tag in self._tags_of(key))]
        if client.monotonic() < self._rests_until:
            return _Read(None, None)
        try:
            raw, *current = await self._run(client, ["MGET", *names])
        except StoreError as error:
            self._rests_until = client.monotonic() + REST_SECONDS
            log.warning("cache_unavailable", extra={"cache": self.name, "error": str(error)})
            return _Read(None, None)
        versions = " ".join(str(version or NO_VERSION) for version in current)
        return _Read(self._decode(raw, versions), versions)

    async def _versions(self, key: str) -> str | None:
        return (await self._read(key)).versions if self._tags_of(key) else ""

    async def _write(self, key: str, value: T, versions: str, ttl: float | None) -> bool:
        if value is None:
            raise ValueError(f"cache {self.name!r} can't hold None: it means a miss")
        seconds = self.ttl if ttl is None else _checked_ttl(ttl)
        text = self._encode(value)
        if len(text) > LARGEST_VALUE:
            extra = {"cache": self.name, "key": key, "bytes": len(text)}
            log.warning("cache_value_too_large", extra=extra)
            return False
        lifetime = seconds * (1 - JITTER * random.random())  # noqa: S311 - no secret
        client = self._client()
        entry = self._entry(client, key)
        try:
            await self._run(client, ["SET", entry, f"{versions}\n{text}", "PX", _ms(lifetime)])
        except StoreError as error:
            log.warning("cache_unavailable", extra={"cache": self.name, "error": str(error)})
            return False
        return True

    async def _run(self, client: CacheClient, command: list[str | int]) -> Any:
        return await client.rest.execute(command, "cache", within=WITHIN)

    def _encode(self, value: T) -> str:
        text = self._adapter.dump_json(value, by_alias=True, round_trip=True)
        if not self._reads_back(text, value):
            raise ValueError(
                f"cache {self.name!r}: a {type(value).__name__} is not read back as it was written"
            )
        return text.decode()

    def _reads_back(self, text: bytes, value: T) -> bool:
        try:
            back = self._adapter.validate_json(text)
        except ValidationError:
            return False
        dump = self._adapter.dump_python
        return bool(dump(back) == dump(value))

    def _decode(self, raw: object, versions: str) -> T | None:
        if not isinstance(raw, str):
            return None
        stored, _, text = raw.partition("\n")
        if stored != versions:
            return None
        try:
            return self._adapter.validate_json(text)
        except ValidationError:  # an older or newer deploy wrote it
            return None

    def _entry(self, client: CacheClient, key: str) -> str:
        return keys.cache_entry(client.prefix, self.name, _checked_key(key))

    def _tag(self, client: CacheClient, tag: str) -> str:
        return keys.cache_tag(client.prefix, self.name, _checked_key(tag))

    def _tags_of(self, key: str) -> Sequence[str]:
        return [*self._tags(key)] if self._tags else ()


def _adapter_of(model: type[T], name: str) -> TypeAdapter[T]:
    given: object = model
    if given is None or isinstance(given, str):  # pydantic takes both, and no value would fit
        raise ConfigurationError(f"cache {name!r}: model is a type, not {given!r:.80}")
    try:
        return TypeAdapter(model)
    except PydanticUserError as error:
        why = str(error).splitlines()[0]
        raise ConfigurationError(
            f"cache {name!r}: model is a type that JSON keeps: {why}"
        ) from None


def _checked_ttl(ttl: float) -> float:
    check_type(ttl, float, "ttl")
    if not 0 < ttl <= LONGEST_TTL:
        raise ConfigurationError(f"ttl={ttl!r}: write seconds above 0, at most {LONGEST_TTL:g}")
    return ttl


def _checked_key(key: str) -> str:
    if not 0 < len(key.encode()) <= MOST_KEY_BYTES:
        raise ValueError(f"a cache key or tag has 1 to {MOST_KEY_BYTES} bytes: {key[:40]!r}")
    return plain(key)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
