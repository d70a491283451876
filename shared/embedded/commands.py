"""The commands of the Upstash REST API: which it serves, which it bills, how it refuses the others.

The list follows Upstash's command reference. Missing are the commands that a local server can't
reproduce: functions (their inner calls could not be metered), ACL, CONFIG, JSON and SEARCH.
"""

from __future__ import annotations

from .engine import EngineError

_STRINGS = (
    "APPEND DECR DECRBY DELEX DIGEST GET GETDEL GETEX GETRANGE GETSET INCR INCRBY INCRBYFLOAT "
    "MGET MSET MSETNX PSETEX SET SETEX SETNX SETRANGE STRLEN BITCOUNT BITFIELD BITFIELD_RO BITOP "
    "BITPOS GETBIT SETBIT PFADD PFCOUNT PFMERGE SUBSTR"
)
_GENERIC = (
    "COPY DEL DUMP EXISTS EXPIRE EXPIREAT EXPIRETIME KEYS MEMORY PERSIST PEXPIRE PEXPIREAT "
    "PEXPIRETIME PTTL RANDOMKEY RENAME RENAMENX RESTORE SCAN TOUCH TTL TYPE UNLINK WAIT"
)
_HASHES = (
    "HDEL HEXISTS HEXPIRE HEXPIREAT HEXPIRETIME HGET HGETALL HGETDEL HGETEX HINCRBY HINCRBYFLOAT "
    "HKEYS HLEN HMGET HMSET HPERSIST HPEXPIRE HPEXPIREAT HPEXPIRETIME HPTTL HRANDFIELD HSCAN HSET "
    "HSETEX HSETNX HSTRLEN HTTL HVALS"
)
_LISTS = (
    "LINDEX LINSERT LLEN LMOVE LMPOP LPOP LPOS LPUSH LPUSHX LRANGE LREM LSET LTRIM RPOP RPOPLPUSH "
    "RPUSH RPUSHX"
)
_SETS = (
    "SADD SCARD SDIFF SDIFFSTORE SINTER SINTERCARD SINTERSTORE SISMEMBER SMEMBERS SMISMEMBER SMOVE "
    "SPOP SRANDMEMBER SREM SSCAN SUNION SUNIONSTORE"
)
_SORTED_SETS = (
    "ZADD ZCARD ZCOUNT ZDIFF ZDIFFSTORE ZINCRBY ZINTER ZINTERCARD ZINTERSTORE ZLEXCOUNT ZMPOP "
    "ZMSCORE ZPOPMAX ZPOPMIN ZRANDMEMBER ZRANGE ZRANGEBYLEX ZRANGEBYSCORE ZRANGESTORE ZRANK ZREM "
    "ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE ZREVRANGE ZREVRANGEBYLEX ZREVRANGEBYSCORE "
    "ZREVRANK ZSCAN ZSCORE ZUNION ZUNIONSTORE GEOADD GEODIST GEOHASH GEOPOS GEORADIUS GEORADIUS_RO "
    "GEORADIUSBYMEMBER GEORADIUSBYMEMBER_RO GEOSEARCH GEOSEARCHSTORE"
)
_STREAMS = (
    "XACK XACKDEL XADD XAUTOCLAIM XCLAIM XDEL XDELEX XGROUP XINFO XLEN XPENDING XRANGE XREAD "
    "XREADGROUP XREVRANGE XTRIM"
)
_SERVER = "COMMAND DBSIZE ECHO FLUSHALL FLUSHDB INFO PING PUBLISH PUBSUB TIME"
SCRIPTING = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "SCRIPT"})

SERVED = SCRIPTING.union(
    *(
        names.split()
        for names in (
            *(_STRINGS, _GENERIC, _HASHES, _LISTS),
            *(_SETS, _SORTED_SETS, _STREAMS, _SERVER),
        )
    )
)

_GROWING = (
    "APPEND BITFIELD BITOP COPY DECR DECRBY GEOADD GEORADIUS GEORADIUSBYMEMBER GEOSEARCHSTORE "
    "GETSET HINCRBY HINCRBYFLOAT HMSET HSET HSETEX HSETNX INCR INCRBY INCRBYFLOAT LINSERT LMOVE "
    "LPUSH LPUSHX LSET MSET MSETNX PFADD PFMERGE PSETEX RESTORE RPOPLPUSH RPUSH RPUSHX SADD "
    "SDIFFSTORE SET SETBIT SETEX SETNX SETRANGE SINTERSTORE SMOVE SUNIONSTORE XADD XGROUP ZADD "
    "ZDIFFSTORE ZINCRBY ZINTERSTORE ZRANGESTORE ZUNIONSTORE"
)
_NEVER_GROWING = (
    "DEL EXPIRE EXPIREAT FLUSHALL FLUSHDB GETDEL GETEX HDEL HEXPIRE HEXPIREAT HGETDEL HGETEX "
    "HPERSIST HPEXPIRE HPEXPIREAT LMPOP LPOP LREM LTRIM PERSIST PEXPIRE PEXPIREAT RENAME RENAMENX "
    "RPOP SPOP SREM UNLINK XACK XACKDEL XAUTOCLAIM XCLAIM XDEL XDELEX XREADGROUP XTRIM ZMPOP "
    "ZPOPMAX ZPOPMIN ZREM ZREMRANGEBYLEX ZREMRANGEBYRANK ZREMRANGEBYSCORE DELEX"
)
WRITES = frozenset(f"{_GROWING} {_NEVER_GROWING}".split())
"""The commands that change data."""

# Upstash refuses these over REST: they block, or belong to a connection.
_NOT_OVER_REST = (
    "AUTH BLMOVE BLMPOP BLPOP BRPOP BRPOPLPUSH BZMPOP BZPOPMAX BZPOPMIN CLIENT DISCARD EXEC HELLO "
    "MONITOR MULTI PSUBSCRIBE PUNSUBSCRIBE QUIT RESET SELECT SUBSCRIBE UNSUBSCRIBE UNWATCH WAITAOF "
    "WATCH"
)


_RESTRICTED = frozenset(_NOT_OVER_REST.split())
_FREE = "AUTH COMMAND CONFIG HELLO INFO PING QUIT RESET SELECT"

NOT_BILLED = frozenset(_FREE.split())
"""Upstash's own list. All other commands count, and so do failed and refused ones: in doubt the
meter counts too much, not too little."""


def refusal(name: str, args: list[str | bytes]) -> EngineError | None:
    """Upstash's error for a command that it does not run over REST, else None. `name` is in upper
    case."""
    if name in _RESTRICTED or (name in {"XREAD", "XREADGROUP"} and _blocks(args)):
        return EngineError(
            f'ERR Command "{name}" is not allowed in REST or it has a special context path'
        )
    if name not in SERVED or (name == "MEMORY" and not _is(args, 1, "USAGE")):
        return EngineError(
            f"ERR Command is not available: '{name}'. "
            "See https://upstash.com/docs/redis/overall/rediscompatibility for details"
        )
    return None


def word(value: str | bytes) -> str:
    """An argument as an upper-case word; undecodable bytes are replaced."""
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
    return text.upper()


def _is(args: list[str | bytes], index: int, expected: str) -> bool:
    return len(args) > index and word(args[index]) == expected


def _blocks(args: list[str | bytes]) -> bool:
    # BLOCK is an option only before STREAMS. A key after STREAMS may have any name.
    for arg in args[1:]:
        option = word(arg)
        if option in {"BLOCK", "STREAMS"}:
            return option == "BLOCK"
    return False
