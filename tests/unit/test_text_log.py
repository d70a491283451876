"""The log as text: one line an event, whatever a stranger wrote into it."""

from __future__ import annotations

import logging
import sys
import unicodedata

import pytest

from shared.observe.text_log import TextFormatter

LOG = logging.getLogger("tidegate.test")


def line(message: str = "audit", *args: object, fails: str = "", **extra: object) -> str:
    info = None
    if fails:
        try:
            raise ValueError(fails)
        except ValueError:
            info = sys.exc_info()
    record = LOG.makeRecord("tidegate.test", logging.INFO, "f", 1, message, args, info, extra=extra)
    return TextFormatter().format(record)


ODD = [
    "\x1b[2J",
    "\x1b]0;x\x07",
    "\r",
    "\x00",
    "\x7f",
    "\x85",
    "\x9b1m",
    "\u2028",
    "\u202e",
    "\u200b",
]


@pytest.mark.parametrize("odd", [*ODD, "\n"])
def test_a_value_commands_no_terminal_and_begins_no_line(odd: str) -> None:
    text = line(object=f"a{odd}12:00:00 INFO audit who=admin", reason="木 é")

    assert odd not in text
    assert text.count("\n") == 0
    assert text.endswith("reason=木 é")
    assert "object=a\\" in text


@pytest.mark.parametrize("odd", ODD)
def test_neither_does_a_message_nor_the_text_of_an_error(odd: str) -> None:
    assert odd not in line("%s", f"a{odd}b")
    assert odd not in line(fails=f"a{odd}b")


def test_a_traceback_and_a_message_keep_their_lines() -> None:
    assert line("first\n\tsecond").endswith("first\n\tsecond")
    assert line(fails="x").splitlines()[-1] == "ValueError: x"


def test_no_control_character_of_unicode_is_written() -> None:
    every = "".join(map(chr, range(0xD800))) + "".join(map(chr, range(0xE000, sys.maxunicode + 1)))

    written = line(object=every)

    kinds = {unicodedata.category(one) for one in written if one != "\t"}
    assert kinds.isdisjoint({"Cc", "Cf", "Zl", "Zp"})
