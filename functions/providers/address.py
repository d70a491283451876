"""An email address as payloads may hold it."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
Address = Annotated[
    # One bare ASCII address: no display name, no list, no character that could end a header line.
    str,
    StringConstraints(
        max_length=254,
        pattern=rf"^[A-Za-z0-9.!#$%&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+$",
    ),
]
