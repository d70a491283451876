"""The meter of the embedded server: the cost of requests as numbers that tests can assert."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class ServerMeter:
    """Exact counts since the start.

    `commands` counts billed commands: one per command, one more per inner call of a script, none
    for commands that Upstash never bills (PING, INFO, …). Errors and refusals count as billed.
    The bytes are those of request and response bodies.
    """

    requests: int = 0
    commands: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def snapshot(self) -> dict[str, int]:
        """The current counts by name."""
        return asdict(self)
