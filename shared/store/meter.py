"""The meter of a store client: exact counts of requests, bytes and billed commands."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Meter:
    """Counters of one store client. `commands` are the commands that Upstash bills: every command
    sent and every command that a script ran (a script reports that number in its reply)."""

    requests: int = 0
    commands: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    by_verb: dict[str, int] = field(default_factory=dict)

    def add(self, verb: str, commands: int) -> None:
        """Add billed commands to a verb."""
        self.commands += commands
        self.by_verb[verb] = self.by_verb.get(verb, 0) + commands

    def snapshot(self) -> Meter:
        """A copy, to subtract from later."""
        return Meter(
            self.requests, self.commands, self.bytes_out, self.bytes_in, dict(self.by_verb)
        )

    def since(self, earlier: Meter) -> Meter:
        """The difference from `earlier`, without verbs that did not change."""
        verbs = {verb: n - earlier.by_verb.get(verb, 0) for verb, n in self.by_verb.items()}
        return Meter(
            self.requests - earlier.requests,
            self.commands - earlier.commands,
            self.bytes_out - earlier.bytes_out,
            self.bytes_in - earlier.bytes_in,
            {verb: n for verb, n in verbs.items() if n},
        )
