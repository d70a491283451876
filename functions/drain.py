"""The drain function, which a schedule calls every minute."""

from __future__ import annotations

from shared.hosts.aws import drain_handler

handler = drain_handler()
