"""The demonstration: the trading journal's workload on a store of its own, and a checked summary.

`tidegate demo` and `make demo` run it.
"""

from __future__ import annotations

from .run import run_demo

__all__ = ["run_demo"]
