"""Provisioning: a hundred buyers at once get access, ten jobs a second and five at a time, while
TradingView fails now and then."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..claims import Claim, Evidence, equal
from ..standins.tradingview import UNKNOWN
from ..world import World

USERS = 100
STRATEGIES = ("PUB;aaaaaaaa", "PUB;bbbbbbbb")
QUEUE = "provisioning"


class Demonstration:
    """The workload of provisioning."""

    data = "100 made up buyers, and one whom TradingView does not know"
    dead = 1

    def __init__(self, world: World) -> None:
        self._world = world

    async def work(self) -> None:
        users = [f"trader-{number}" for number in range(USERS)]
        grants = [_grant(user) for user in (*users, UNKNOWN)]
        await self._world.enqueue(QUEUE, "access.grant", grants)
        self._world.log(f"{len(grants)} grants of access enqueued in one request")
        await self._world.finish(QUEUE)

    def claims(self, evidence: Evidence) -> Iterator[Claim]:
        site = self._world.standins.tradingview
        expected = {(user, script) for user, script in site.added}
        whole = sum(len(users) for users in site.lists.values())
        yield equal("each buyer is on each access list", whole, USERS * len(STRATEGIES))
        once = all(count == 1 for count in site.added.values())
        yield Claim("nobody was put on a list twice", once, f"{len(expected)} entries")
        yield equal("each buyer has one email about it", len(self._world.email_times(QUEUE)), USERS)
        most = site.faults.most_at_once
        yield Claim("never more than five requests at TradingView at once", most <= 5, f"{most}")
        met, outcomes = site.faults.met, evidence.outcomes_of(QUEUE)
        again, failing = outcomes["retried"] + outcomes["snoozed"], met.total() - met["slow"]
        yield Claim("each fault of TradingView was retried", again >= failing, f"{dict(met)}")
        yield equal("an unknown user is a dead letter", evidence.outcomes_of(QUEUE)["dead"], 1)

    def figures(self) -> Mapping[str, str]:
        return {}


def _grant(user: str) -> dict[str, Any]:
    return {"username": user, "strategies": STRATEGIES, "email": f"{user}@example.com"}
