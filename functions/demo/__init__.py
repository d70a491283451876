"""The demonstration: the applications side by side on a store of its own, and a checked summary.

`tidegate demo` and `make demo` run it.
"""

from __future__ import annotations

from .run import run_demo

__all__ = ["run_demo"]
