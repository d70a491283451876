"""The maintain function, which a schedule calls every five minutes: dead letters go into the
archive."""

from __future__ import annotations

from shared.hosts.aws import maintain_handler

handler = maintain_handler()
