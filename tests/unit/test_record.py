"""A stored record read: characters are not bytes, and not everything is text."""

from __future__ import annotations

import pytest

from shared.store.codec import read_record
from tests.support.records import record


@pytest.mark.parametrize(
    ("body", "history"),
    [
        ('{"type":"t"}\n{}', ""),
        ('{"type":"t"}\n{"a":1}', '{"progress":50}'),
        ('{"type":"t"}\n{"name":"Zoë"}', '{"result":"Łódź ✓"}'),
        ("", '{"errors":[]}'),
        ("a body\nof\nlines", "and its\nend"),
    ],
)
def test_body_and_history_split_at_the_headers_length_in_bytes(body: str, history: str) -> None:
    raw = record(attempts=2, crashes=1, redrives=3, key="k", dedup="d", reason="suspect", body=body, history=history)  # fmt: skip  # noqa: E501 - one header
    for stored in (raw, raw.encode()):
        header, stored_body, stored_history = read_record(stored)
        assert (stored_body, stored_history) == (body, history)
        assert (header.state, header.fence, header.attempts, header.crashes) == ("w", 0, 2, 1)
        assert (header.redrives, header.key, header.dedup, header.reason) == (
            3,
            "k",
            "d",
            "suspect",
        )


def test_a_part_that_is_not_utf8_stays_bytes_and_the_other_is_text() -> None:
    raw = record(body="xxxx", history="{}").encode().replace(b"xxxx", b"\xff\xfe\x00!")
    header, body, history = read_record(raw)
    assert (header.length, body, history) == (4, b"\xff\xfe\x00!", "{}")


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "w 0 0",
        "w 0 0 0 n many 0 - - - -\nbody",
        record(body="{}").replace(" 0 0 0 ", f" 0 {'9' * 5000} 0 "),
        "w 0 0 0 n 4 0 - - - - -\nbody",
        b"\xff\xfe 0\nbody",
    ],
)
def test_a_damaged_header_is_a_value_error(raw: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_record(raw)
