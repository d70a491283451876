"""The names of all Redis keys of Tidegate. No other module names a key.

A queue has one vector of keys, in the same order for every script. The keys share a hash tag, and
so a lock and a cluster slot. The agenda is one key more for the whole deployment.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

PARTS = (
    "records",  # HASH   id -> job record; ":name" -> the queue's own scalars. See `vector`
    "suspects",  # LIST  quarantined: ids whose functions died twice in a row
    "high",  # LIST      waiting ids, one list per priority
    "normal",
    "low",
    "delayed",  # ZSET   id -> due instant (ms)
    "active",  # ZSET    lease -> expiry (ms); a lease is "id fence owner seq [key] exclusive"
    "parked",  # ZSET    id -> instant of the next check (ms)
    "completed",  # ZSET id -> instant of its end (ms), until retention
    "cancelled",  # ZSET id -> instant of its end (ms), until retention
    "dead",  # ZSET      id -> instant of its end (ms); trimmed only with dead=Retention(...)
    "dedup",  # HASH     guard name -> "expires fingerprint id state"
    "inbox",  # LIST     raw records from foreign producers
    "intake",  # LIST    those that turns make jobs of: the inbox, renamed
    "key_timers",  # ZSET  key of jobs -> instant (ms) at which a turn looks at it again
    "backlogs",  # HASH  "key position" -> id of a job that waits until its key has room
)

NEVER = 2.0**53 - 1
"""The agenda's entry of a queue that nothing but an operator can wake."""

WORK: tuple[str, ...] = (
    *("high", "normal", "low", "suspects"),
    *("delayed", "active", "parked", "inbox", "intake", "backlogs"),
)
"""The parts that exist only while a queue has work."""
BACKLOGS: tuple[str, ...] = ("backlogs",)
"""The parts whose jobs wait by limits of keys, as the last deployment declared them."""
CLAIMABLE: tuple[str, ...] = ("high", "normal", "low", "suspects", "inbox", "intake")
"""The parts of WORK whose jobs wait for no instant."""
PLACES: tuple[str, ...] = (
    *("high", "normal", "low", "suspects"),
    *("delayed", "parked", "completed", "cancelled", "dead", "backlogs"),
)
"""The lists, sorted sets and the hash that place jobs by their ids."""
FOREIGN: tuple[str, ...] = ("inbox", "intake")
"""The parts that hold what foreign producers write, without an update of the agenda."""


def agenda(prefix: str) -> str:
    """The agenda: ZSET queue → instant (ms) before which the queue can't have work."""
    return f"{prefix}:agenda"


def events(prefix: str) -> str:
    """STREAM  An entry for each turn that tells events; the last 256, of at most 32 KB each."""
    return f"{prefix}:events"


def cache_entry(prefix: str, cache: str, key: str) -> str:
    """STRING  The versions of the key's tags, a newline, the value as JSON; it expires."""
    return f"{prefix}:cache:{cache}:entry:{key}"


def cache_tag(prefix: str, cache: str, tag: str) -> str:
    """STRING  The version of a tag since its last invalidation; it expires after all entries that
    are older."""
    return f"{prefix}:cache:{cache}:tag:{tag}"


def alerts(prefix: str) -> str:
    """STRING  The state of the alerts as JSON (alerts/state_json.py); it expires."""
    return f"{prefix}:alerts"


def manual_runs(prefix: str, schedule: str) -> str:
    """LIST  The last jobs of a schedule that operators ran, newest first, as "instant id" (ms); it
    expires."""
    return f"{prefix}:runs:{schedule}"


def tokens(prefix: str) -> str:
    """HASH  token id → its record, "id:end" → the instant (ms) at which a rotation ends it. At most
    500 tokens; a new one removes those that ended a month ago."""
    return f"{prefix}:tokens"


def allowance(prefix: str, subject: str) -> str:
    """STRING  What a token with limits has used (lua/allow.lua); it expires after a day."""
    return f"{prefix}:allowance:{subject}"


def audit(prefix: str) -> str:
    """STREAM  The last 10,000 rows of what operators did."""
    return f"{prefix}:audit"


def api_counts(prefix: str) -> str:
    """HASH  401, 403 → how many requests were refused with it; "commands" → billed commands of the
    API, where TIDEGATE_STORE_COMMANDS is set."""
    return f"{prefix}:api-counts"


def part(prefix: str, queue: str, name: str) -> str:
    """One key of a queue."""
    return f"{{{prefix}:{queue}}}:{name}"


def records(shards: int) -> tuple[str, ...]:
    """The parts that hold job records: "records", and one more for each further shard."""
    return "records", *(f"records:{shard}" for shard in range(1, shards))


@lru_cache(maxsize=1024)
def vector(prefix: str, queue: str, shards: int = 1) -> tuple[str, ...]:
    """The KEYS of every script of this queue, the same for every request. The records of further
    shards come last."""
    names = parts(prefix, queue, PARTS)
    return *names, agenda(prefix), events(prefix), *parts(prefix, queue, records(shards)[1:])


def parts(prefix: str, queue: str, names: Iterable[str]) -> list[str]:
    """Several keys of a queue."""
    return [part(prefix, queue, name) for name in names]
