"""The positions of keys in commands, for Python and for the guard's Lua."""

from __future__ import annotations

from .request import Args

# A command that is not listed has one key, its first argument.
_NONE, _ALL, _TWO, _PAIRS, _COUNTED, _DEST_COUNTED, _LATER_COUNTED = range(7)
_SECOND, _AFTER_FIRST, _STREAMS, _ALL_BUT_LAST, _WHOLE_DATABASE = range(7, 12)
_RULES = {
    _NONE: "TIME PING ECHO PUBLISH INFO DBSIZE RANDOMKEY SCAN KEYS COMMAND SELECT WAIT LASTSAVE "
    "PUBSUB EVAL EVALSHA EVAL_RO EVALSHA_RO SCRIPT",
    _ALL: "DEL UNLINK EXISTS TOUCH MGET SINTER SUNION SDIFF SINTERSTORE SUNIONSTORE SDIFFSTORE "
    "PFCOUNT PFMERGE",
    _TWO: "RENAME RENAMENX COPY LMOVE RPOPLPUSH SMOVE BLMOVE BRPOPLPUSH GEOSEARCHSTORE "
    "ZRANGESTORE LCS",
    _PAIRS: "MSET MSETNX",
    _COUNTED: "LMPOP ZMPOP SINTERCARD ZINTER ZUNION ZDIFF ZINTERCARD",
    _DEST_COUNTED: "ZUNIONSTORE ZINTERSTORE ZDIFFSTORE",
    _LATER_COUNTED: "BLMPOP BZMPOP",
    _SECOND: "OBJECT MEMORY XINFO XGROUP",
    _AFTER_FIRST: "BITOP",
    _STREAMS: "XREAD XREADGROUP",
    _ALL_BUT_LAST: "BLPOP BRPOP BZPOPMIN BZPOPMAX",
    _WHOLE_DATABASE: "FLUSHDB FLUSHALL",
}
_BY_NAME = {name: rule for rule, names in _RULES.items() for name in names.split()}
RULES_LUA = ",".join(f"{name}={rule}" for name, rule in _BY_NAME.items())
"""The rules as the fields of a Lua table; the guard's Lua applies them to inner calls."""


def keys(name: str, args: Args) -> Args:
    """The keys of a command that REST serves. `name` is in upper case; `args` begins with it."""
    rule = _BY_NAME.get(name)
    words = args[1:]
    if rule is None:
        return words[:1]
    if rule in (_NONE, _WHOLE_DATABASE):
        return []
    if rule == _ALL:
        return words
    if rule == _PAIRS:
        return words[::2]
    if rule in (_COUNTED, _DEST_COUNTED):
        return _keys_by_count(words, 0 if rule == _COUNTED else 1)
    if rule == _STREAMS:
        return _streams(words)
    first, last = {_TWO: (0, 2), _SECOND: (1, 2)}.get(rule, (1, len(words)))
    return words[first:last]


def _keys_by_count(words: Args, at: int) -> Args:
    try:
        count = int(words[at])
    except (IndexError, ValueError):
        return words[:at]
    return words[:at] + words[at + 1 : at + 1 + max(0, count)]


def _streams(words: Args) -> Args:
    upper = [
        word.upper() if isinstance(word, str) else word.upper().decode("latin-1") for word in words
    ]
    if "STREAMS" not in upper:
        return []
    names = words[upper.index("STREAMS") + 1 :]
    return names[: len(names) // 2]
