"""A cache: typed values with a lifetime, tags that invalidate many at once, and a load for misses.

An entry holds the versions that its tags had before its value was loaded. A read fetches the entry
and the present versions in one command. If one differs or is not there any more, the entry is a
miss. So a value that was loaded before an invalidation and written after it is never read, whatever
the database has evicted.
"""

from __future__ import annotations

import logging
import random
import secrets
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

from pydantic import PydanticUserError, TypeAdapter, ValidationError

from ..checks import check_function, check_type, checked, plain, require
from ..declare.difference import difference
from ..errors import ConfigurationError, StoreError
from ..jobs.body import byte_length
from ..jobs.ids import NAME_GRAMMAR, is_name
from ..store import keys
from .default_client import CacheClient, default_client
from .flights import Flights

log = logging.getLogger("tidegate.cache")

T = TypeVar("T")
DEFAULT_TTL = 60.0
LONGEST_TTL = 3600.0
VERSION_TTL = 6 * LONGEST_TTL
"""Seconds after which a tag's version ends, and with it all entries that hold it: so rarely that
few entries end before their time."""
JITTER = 0.1
"""Share of a lifetime that is cut off at random: entries of one moment expire at different ones."""
WITHIN = 0.3
"""Seconds for one command: a slow cache must not be slower than the load that it saves."""
REST_SECONDS = 5.0
"""Seconds without a read after the store failed: until then every read is a miss."""
LARGEST_VALUE = 2**20
"""Bytes of JSON. A larger value is not cached."""
MOST_KEY_BYTES = 512


class _Read(NamedTuple):
    """What a read found. `versions`: of the key's tags now, by the names of their keys; None if the
    store did not answer."""

    value: object
    versions: Mapping[str, object] | None


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
        tagged = self._tags is not None
        versions = await self._versions((await self._read(key)).versions if tagged else {})
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
        client = self._client()
        await self._run(client, _set_version(self._tag(client, tag), _new_version()))

    async def get_or_load(
        self, key: str, load: Callable[[], Awaitable[T]], *, ttl: float | None = None
    ) -> T:
        """The value, or what `load` answers, which is then stored. Callers of this process that
        miss at the same time share one load. None is answered and not stored. A store that does
        not answer costs a load and nothing else. A load that reads its own key raises
        RuntimeError."""
        read = await self._read(key)
        if read.value is not None:
            return read.value  # type: ignore[return-value]  # as in get

        async def load_and_store() -> T:
            versions = await self._versions(read.versions)  # those before the load
            value = await load()
            if value is not None and versions is not None:
                await self._write(key, value, versions, ttl)
            return value

        return await self._flights.run(key, load_and_store)

    async def _read(self, key: str) -> _Read:
        client = self._client()
        entry, tags = self._entry(client, key), [self._tag(client, t) for t in self._tags_of(key)]
        if client.monotonic() < self._rests_until:
            return _Read(None, None)
        try:
            raw, *current = await self._run(client, ["MGET", entry, *tags])
        except StoreError as error:
            self._rest(client, error)
            return _Read(None, None)
        versions = dict(zip(tags, current, strict=True))
        return _Read(self._decode(raw, versions), versions)

    async def _versions(self, found: Mapping[str, object] | None) -> str | None:
        """The versions of tags as an entry holds them; a tag that has none gets one. None: the
        store did not answer."""
        if found is None:
            return None
        client, versions = self._client(), dict(found)
        try:
            for tag in [tag for tag, version in found.items() if version is None]:
                versions[tag] = version = _new_version()
                if not await self._run(client, [*_set_version(tag, version), "NX"]):
                    versions[tag] = await self._run(client, ["GET", tag])  # another caller's
        except StoreError as error:
            self._rest(client, error)
            return None
        return _text(versions)

    def _rest(self, client: CacheClient, error: StoreError) -> None:
        self._rests_until = client.monotonic() + REST_SECONDS
        log.warning("cache_unavailable", extra={"cache": self.name, "error": str(error)})

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
        text = self._adapter.dump_json(value, by_alias=True, round_trip=True, warnings=False)
        if not self._reads_back(text, value):
            raise ValueError(
                f"cache {self.name!r}: a {type(value).__name__} is not read back as it was written"
            )
        return text.decode()

    def _reads_back(self, text: bytes, value: T) -> bool:
        try:
            return difference(value, self._adapter.validate_json(text), "") is None
        except ValidationError:
            return False

    def _decode(self, raw: object, versions: Mapping[str, object]) -> T | None:
        if not isinstance(raw, str) or None in versions.values():
            return None
        stored, _, text = raw.partition("\n")
        if stored != _text(versions):
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
        given: object = self._tags(key) if self._tags else ()
        if isinstance(given, Iterable) and not isinstance(given, str):
            tags = [*given]
            if all(isinstance(tag, str) for tag in tags):
                return tags
        wrong = f"cache {self.name!r}: tags answered {given!r:.80} for a key"
        raise TypeError(f"{wrong}; it must be a list of texts, such as ['user-42']")


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


def _new_version() -> str:
    return secrets.token_hex(8)


def _set_version(tag: str, version: str) -> list[str | int]:
    return ["SET", tag, version, "PX", _ms(VERSION_TTL)]


def _text(versions: Mapping[str, object]) -> str:
    return " ".join(str(version) for version in versions.values())


def _checked_ttl(ttl: float) -> float:
    check_type(ttl, float, "ttl")
    if not 0 < ttl <= LONGEST_TTL:
        raise ConfigurationError(f"ttl={ttl!r}: write seconds above 0, at most {LONGEST_TTL:g}")
    return ttl


def _checked_key(key: str) -> str:
    if not 0 < byte_length(key) <= MOST_KEY_BYTES:
        raise ValueError(f"a cache key or tag has 1 to {MOST_KEY_BYTES} bytes: {key[:40]!r}")
    return plain(key)


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
