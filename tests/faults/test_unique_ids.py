"""A job's unique id is one in all its runs, whatever ends them, and another one for the next job of
the same id."""

from __future__ import annotations

import asyncio

import pytest

from shared import JobContext, Retention, Retry
from tests.faults.conftest import Play
from tests.support.values import Number
from tests.support.world import World

AGE = 3600


@pytest.mark.parametrize("encrypt", [False, True])
@pytest.mark.parametrize("own", ["order-7", None])
def test_retries_deaths_and_redrives_keep_it_and_a_later_job_has_another(
    play: Play[None], own: str | None, encrypt: bool
) -> None:
    async def story(world: World) -> None:
        kept = Retention(count=10, age=AGE)
        retry = Retry.fixed(attempts=2, wait=5)
        queue = world.app.queue("q", retry=retry, completed=kept, encrypt=encrypt)
        seen = list[tuple[str, str]]()

        @queue.job("t")
        async def work(payload: Number, job: JobContext) -> None:
            seen.append((job.unique_id, job.child_id("mail")))
            match len(seen):
                case 1:
                    await asyncio.Event().wait()  # until its function dies
                case 2 | 3:
                    raise ValueError("not yet")

        handle = await work.enqueue(Number(), job_id=own)
        dying = asyncio.create_task(world.drain(world.client()).run([queue]))
        await world.clock.sleep(1)
        dying.cancel()
        await world.clock.sleep(60)
        await world.drained(queue)
        assert (await handle.status()).state == "dead"
        await handle.redrive()
        await world.drained(queue)
        assert (await handle.status()).state == "completed"
        assert len(seen) == 4
        assert len(set(seen)) == 1

        await world.clock.sleep(2 * AGE)
        await world.drained(queue)
        later = await work.enqueue(Number(), job_id=own)
        await world.drained(queue)

        assert not later.duplicate
        assert len(seen) == 5
        assert seen[4][0] != seen[0][0]
        assert seen[4][1] != seen[0][1]
        assert (seen[0][0] == handle.id) is (own is None)

    play(story)
