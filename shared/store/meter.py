"""What the store was asked for, counted exactly: requests, bytes and billed commands."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Meter:
    """Counters of one store client. `commands` is what Upstash bills: every command sent, and every
    command that a script ran (scripts count their own calls and say so in their replies)."""

    requests: int = 0
    commands: int = 0
    bytes_out: int = 0
    bytes_in: int = 0
    by_verb: dict[str, int] = field(default_factory=dict)

    def add(self, verb: str, commands: int) -> None:
        """Book `commands` billed commands under a verb."""
        self.commands += commands
        self.by_verb[verb] = self.by_verb.get(verb, 0) + commands

    def snapshot(self) -> Meter:
        """A copy, to subtract from later."""
        return Meter(
            self.requests, self.commands, self.bytes_out, self.bytes_in, dict(self.by_verb)
        )

    def since(self, earlier: Meter) -> Meter:
        """What was added since `earlier`."""
        verbs = {verb: n - earlier.by_verb.get(verb, 0) for verb, n in self.by_verb.items()}
        return Meter(
            self.requests - earlier.requests,
            self.commands - earlier.commands,
            self.bytes_out - earlier.bytes_out,
            self.bytes_in - earlier.bytes_in,
            {verb: n for verb, n in verbs.items() if n},
        )
