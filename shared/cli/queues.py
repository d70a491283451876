"""`tidegate queues`: pause, resume and purge queues; their names, their busiest keys."""

from __future__ import annotations

from typing import Annotated

import typer

from .audited import audited
from .command import command
from .confirm import Yes, confirmed
from .context import open_deployment
from .exit_codes import Exit
from .options import Json
from .output import as_json, note, print_switch, table

app = typer.Typer(
    no_args_is_help=True, help="Pause, resume and purge queues; show their busiest keys."
)
Name = Annotated[str, typer.Argument(metavar="QUEUE", help="The queue's name.")]
Most = Annotated[int, typer.Option("--most", min=1, max=200, help="Keys shown, 1 to 200.")]
Names = Annotated[list[str], typer.Argument(metavar="QUEUE…", help="Names of queues.")]


@app.command()
@command
async def pause(queues: Names, json: Json = False) -> Exit:
    """Start no more jobs of these queues. Enqueues go on, and running jobs end as usual."""
    return await _set(queues, json=json, paused=True)


@app.command()
@command
async def resume(queues: Names, json: Json = False) -> Exit:
    """Start jobs of these queues again."""
    return await _set(queues, json=json, paused=False)


@app.command()
@command
async def purge(queue: Name, yes: Yes = False, json: Json = False) -> Exit:
    """Delete all waiting and delayed jobs of a queue for good, after a question. Others stay."""
    async with open_deployment() as deployment:
        owner = deployment.registry.queue(queue)
        stats = await deployment.store.stats(owner)
        count = stats.waiting + stats.sizes["delayed"]
        action = f"delete {count:,} waiting and delayed jobs of queue {owner.name!r}"
        if not confirmed(action, deployment.settings, yes=yes):
            return Exit.FAILED
        async with audited(deployment, "queues.purge", owner.name) as audit:
            purged = audit.count = await deployment.store.purge(owner)
    if json:
        as_json({"queue": owner.name, "purged": purged, "next": None})
    else:
        print(f"{purged:,} deleted")
    return Exit.OK


@app.command("purge-names")
@command
async def purge_names(queue: Name, yes: Yes = False, json: Json = False) -> Exit:
    """Delete all deduplication names with a ttl and all idempotency keys of a queue, after a
    question. Jobs stay; what was enqueued under these names may be enqueued once more."""
    from ..store.names import count_names
    from ..store.names import purge_names as purge_all

    async with open_deployment() as deployment:
        owner, store = deployment.registry.queue(queue), deployment.store
        count = await count_names(store, owner.name)
        action = (
            f"delete the deduplication names and idempotency keys of queue {owner.name!r} that are "
            f"held for a time (of {count:,} names in all), so that what was enqueued under them "
            "may be enqueued once more"
        )
        if not confirmed(action, deployment.settings, yes=yes):
            return Exit.FAILED
        async with audited(deployment, "queues.purge_names", owner.name) as audit:
            purged = audit.count = await purge_all(store, owner)
    if json:
        as_json({"queue": owner.name, "purged": purged, "next": None})
    else:
        print(f"{purged:,} names deleted")
    return Exit.OK


@app.command()
@command
async def keys(queue: Name, most: Most = 20, json: Json = False) -> Exit:
    """Show the keys of a queue with most jobs that run or wait for their key."""
    from ..observe.describe import describe_keys

    async with open_deployment() as deployment:
        page = await deployment.store.busiest_keys(deployment.registry.queue(queue), most)
    described = describe_keys(page)
    if json:
        as_json(described)
    elif page.keys:
        columns = ("key", "active", "backlog", "tokens", "token_at")
        table(columns, [[row[name] for name in columns] for row in described["keys"]])
        if page.known > len(page.keys):
            note(f"{page.known:,} keys have a state; --most shows more of them")
    else:
        print(f"no key of queue {page.queue.name} has jobs that run, wait or spent tokens")
    return Exit.OK


async def _set(names: list[str], *, json: bool, paused: bool) -> Exit:
    verb, rows = "queues.pause" if paused else "queues.resume", []
    async with open_deployment() as deployment:
        for queue in deployment.queues(names):
            async with audited(deployment, verb, queue.name):
                before = await deployment.store.pause(queue, paused=paused)
            rows.append({"queue": queue.name, "paused": paused, "was_paused": before})
    if json:
        as_json({"queues": rows})
        return Exit.OK
    for row in rows:
        print_switch(str(row["queue"]), paused=paused, was_paused=bool(row["was_paused"]))
    return Exit.OK
