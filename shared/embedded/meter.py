"""What the embedded server counts, so that cost is a number that tests can assert."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class Meter:
    """Exact counts since the start.

    `commands` are billed ones: a command is one, a script call one more for every inner call, and
    what Upstash bills nowhere (PING, INFO, …) none. In doubt (errors, refusals) it counts.
    Bytes are those of bodies.
    """

    requests: int = 0
    commands: int = 0
    bytes_in: int = 0
    bytes_out: int = 0

    def snapshot(self) -> dict[str, int]:
        """The counts as of now, by name."""
        return asdict(self)
