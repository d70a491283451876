"""The alerts that fire, over HTTP."""

from __future__ import annotations

from datetime import datetime

from shared.alerts.evaluate import evaluate
from shared.config.alerts import AlertSettings
from shared.store import Store
from shared.testing import FakeClock
from tests.scenario.world import Client, World


async def test_what_fires_is_listed_with_its_value_and_since_when(
    api: Client, world: World, store: Store, clock: FakeClock
) -> None:
    assert (await api.get("/api/v1/alerts")).json() == {"evaluated_at": None, "alerts": []}
    await api.enqueue()
    await api.enqueue(queue="slow")
    queues = world.registry.queues()
    settings = AlertSettings.from_env({"TIDEGATE_ALERTS": "work/backlog=0.5"})
    for _ in range(2):
        clock.advance(60)
        await evaluate(store, queues, settings)

    answer = (await api.get("/api/v1/alerts")).json()

    (alert,) = answer["alerts"]
    assert (alert["rule"], alert["queue"], alert["value"]) == ("backlog", "work", 1)
    assert alert["detail"] == "1 waiting jobs"
    assert answer["evaluated_at"] == alert["since"]
    assert datetime.fromisoformat(alert["since"]).timestamp() * 1000 == clock.epoch_ms()
    assert (await api.get("/api/queue/dashboard?format=alerts")).json() == answer
