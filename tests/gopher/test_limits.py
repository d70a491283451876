"""GopherLua's registry has 5,120 slots for all calls under way: how far from that our scripts stay.

Redis' Lua has more room (unpack gives up at 8,000), so only this engine notices.
"""

from __future__ import annotations

import pytest

from shared.embedded import guard
from tests.gopher.conftest import Run

SLOTS = 5_120
CHUNK = 1_000
"""What a script passes to one command or joins at once: CHUNK in keys.lua, PIECE in words.lua."""

TABLE = "local t = {} for i = 1, tonumber(ARGV[1]) do t[i] = 'x' end "
CALL = "local function call(...) return redis.call(...) end " + TABLE
USES = {
    "unpack": TABLE + "return select('#', unpack(t)) == #t",
    "unpack into a table": TABLE + "return #{1, unpack(t)} == #t + 1",
    "table.concat": TABLE + "return #table.concat(t) == #t",
    "a counted call": CALL + "return call('SADD', 'set', unpack(t)) ~= nil",
}


def _most(run: Run, script: str | bytes) -> int:
    """The longest list on which a script still succeeds."""
    works, fails = 1, 2 * SLOTS
    while fails - works > 1:
        middle = (works + fails) // 2
        reply = run("EVAL", script, 0, middle)
        works, fails = (middle, fails) if reply in (1, [1, 1]) else (works, middle)
    return works


@pytest.mark.parametrize(
    ("use", "slots"),
    [("unpack", 1), ("unpack into a table", 1), ("table.concat", 2), ("a counted call", 2)],
)
def test_a_use_takes_so_many_slots_of_the_registry_an_element(
    gopherlua: Run, use: str, slots: int
) -> None:
    most = _most(gopherlua, USES[use])

    assert CHUNK < most <= SLOTS // slots
    assert most > 0.95 * SLOTS / slots


def test_a_chunk_fits_under_the_strict_guard_which_takes_two_slots_an_element(
    gopherlua: Run,
) -> None:
    guarded = guard.compose(USES["a counted call"].encode(), strict=True, clock=False)
    # The guard answers {calls, result}.
    most = _most(lambda *words: gopherlua("EVAL", words[1], 1, "set", words[3]), guarded.text)

    assert CHUNK < most <= SLOTS // 2


def test_the_server_goes_on_after_a_script_has_filled_the_registry(gopherlua: Run) -> None:
    failed = gopherlua("EVAL", USES["unpack"], 0, SLOTS)
    digest = gopherlua("SCRIPT", "LOAD", "return 'still here'")

    assert failed.startswith("error: ERR ")
    assert gopherlua("EVALSHA", digest, 0) == "still here"


def test_calls_nest_two_hundred_deep_but_not_three_hundred(gopherlua: Run) -> None:
    script = (
        "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end return f(tonumber(ARGV[1]))"
    )

    assert gopherlua("EVAL", script, 0, 200) == 200
    assert gopherlua("EVAL", script, 0, 300).startswith("error: ERR ")
