"""What text may show of a URL: no user name, no query, no fragment."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.fetch import bare_urls

LEGAL = "abcXYZ019-._~!$&'()*+,;=:%"
"""What RFC 3986 allows in a user name, and in a query beside others."""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at https://h.example/p?sig=S now", "at https://h.example/p?… now"),
        ("https://user:pa'ssSECRET@h.example/p", "https://h.example/p"),
        ("https://h.example/p?x=a'SECRET", "https://h.example/p?…"),
        ("https://h.example/p#f'SECRET", "https://h.example/p?…"),
        ("'https://h.example/p?x=1'", "'https://h.example/p?…'"),
        ("'https://h.example/p'", "'https://h.example/p'"),
        ('"https://h.example/p?x=1", next', '"https://h.example/p?…", next'),
        ("no url, it's text", "no url, it's text"),
    ],
)
def test_a_url_shows_its_host_and_path(text: str, shown: str) -> None:
    assert bare_urls(text) == shown


@given(st.text(LEGAL, max_size=8), st.text(LEGAL, max_size=8), st.sampled_from("?#"))
def test_nothing_secret_is_shown_whatever_stands_around_it(
    before: str, after: str, mark: str
) -> None:
    user = f"https://{before}SECRET{after}@h.example/p"
    query = f"https://h.example/p{mark}{before}SECRET{after}"

    assert "SECRET" not in bare_urls(f"failed: {user} and {query}.")
