"""Command faults that change nothing that a caller or an operator could notice, with the reason."""

from __future__ import annotations

HARMLESS = {
    ("turn", "HSET", "records:paused"): "only `pause` changes it; a turn writes the default, 0, "
    "where the field is missing, and a missing field reads as 0",
    **dict.fromkeys(
        [("delete", "HSET", "records"), ("purge", "HSET", "records")],
        "an HDEL takes the record away; an empty one is seen only where a script stops "
        "between them; tests/store/test_half_applied.py stops them there",
    ),
    ("turn", "HSET", "records:moved"): "only a turn behind one that stopped half way reads it; "
    "tests/store/test_half_applied_turn.py does",
    (
        "turn",
        "HSET",
        "records:inbox_held",
    ): "it saves the commands that read an inbox again for which "
    "there is no room; tests/store/test_inbox.py counts them",
    ("turn", "HSET", "records:key_limits"): "it saves the commands that look at every key again; "
    "tests/store/test_keys.py counts them",
    ("turn", "XADD", "events"): "the stories follow no events; tests/store/test_events.py does",
}
"""(script, command, part) -> why the fault may live"""
