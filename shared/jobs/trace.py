"""The trace that a job belongs to, as W3C Trace Context has it. Loaded only where there may be one:
a producer sent the header `traceparent`, or OpenTelemetry is loaded in this process."""

from __future__ import annotations

import re
import sys
from typing import Any

API = "opentelemetry.trace"
"""The module whose presence says that this process uses OpenTelemetry."""
_FORM = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}\Z")


def read_traceparent(text: str) -> str:
    """The text, if it is a `traceparent` of version 00; else "": what can't be read is as good as
    none (W3C Trace Context, 4.2)."""
    return text if _FORM.match(text) else ""


def current_traceparent() -> str:
    """That of the span which is current here; "" without one."""
    api: Any = sys.modules.get(API)
    context = api.get_current_span().get_span_context() if api else None
    if context is None or not context.is_valid:
        return ""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x}"
