"""Tasks: a team writes to its bot, one member faster than the limit allows, while OpenProject and
Telegram fail now and then; reminders, and changes that somebody makes in OpenProject itself."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from functions.apps.tasks.tables import Tables, tables_in

from ...claims import Claim, Evidence
from ...dump import dump_store
from ...standins.openproject import REFUSED
from ...standins.telegram import TEAM
from ...world import World
from .claims import Account, claims

STRANGER = 13
MATTERS = (
    *("Book the harbour hall", "Order forty name badges", "Invite the brass band"),
    *("Print the programme", "Hire a coffee cart", "Call the fire warden"),
)
EAGER, IMPORTED, SECRET = 12, 11, "the caterer's price is 18 a head"
REMIND_AFTER = 6.0
"""Seconds."""
COMMAND, CREATE = "flrts.telegram.command", "flrts.tasks.create"
Command = Mapping[str, Any]
Refused = tuple[Sequence[Command], float]
QUEUES = (
    *(COMMAND, CREATE, "flrts.tasks.update", "flrts.tasks.sync", "flrts.reminders.schedule"),
    *("flrts.reminders.send", "flrts.telegram.outbound", "flrts.openproject.sync"),
    "flrts.openproject.webhook",
)


class Demonstration:
    """The workload of tasks, reminders and chat."""

    data = "made up: seven members of a team, a stranger, and what they write"
    dead = 1

    def __init__(self, world: World) -> None:
        self._world = world
        self._updates = 0
        self._account = Account()

    async def work(self) -> None:
        world = self._world
        eager, owner, *others, importer = TEAM
        commands = [
            *(self._command(eager, f"/task {eager}: errand {n}") for n in range(EAGER)),
            *(
                self._command(member, f"/task {member}: {matter}\n{SECRET}")
                for member in (owner, *others)
                for matter in MATTERS
            ),
            self._command(others[0], f"/task {REFUSED}"),
            self._command(STRANGER, "/task Open the safe"),
        ]
        refused = await self._offer(commands)
        world.log(f"{len(commands)} commands to the bot; {len(refused[0])} of a member are refused")
        imports = [{"user_id": importer, "title": f"{importer}: old {n}"} for n in range(IMPORTED)]
        await world.enqueue(CREATE, "task.create", imports)
        await self._remind()
        await self._look()
        await asyncio.gather(self._come_back(refused), self._change(owner))
        await world.finish(*QUEUES, called="the queues of tasks")
        await self._look()
        self._account.tasks = {
            **{f"{eager}: errand {n}": eager for n in range(EAGER)},
            **{f"{one}: {matter}": one for one in (owner, *others) for matter in MATTERS},
            **{f"{importer}: old {n}": importer for n in range(IMPORTED)},
        }
        self._account.refused_task = others[0]

    def claims(self, evidence: Evidence) -> Iterator[Claim]:
        outcomes = [evidence.outcomes_of(queue) for queue in QUEUES]
        standins = self._world.standins
        yield from claims(
            self._account, standins.openproject, standins.telegram, self._tables(), outcomes
        )

    def figures(self) -> Mapping[str, str]:
        return {}

    def _command(self, user: int, text: str) -> dict[str, Any]:
        """An update as Telegram sends it, and as n8n enqueues it."""
        self._updates += 1
        name = f"update-{self._updates}"
        message = {
            "message_id": self._updates,
            "date": int(dt.datetime.now(dt.UTC).timestamp()),
            "from": {"id": user, "is_bot": False, "first_name": "Member"},
            "chat": {"id": user, "type": "private"},
            "text": text,
        }
        return {
            "type": "telegram.command",
            "payload": {"update_id": self._updates, "message": message},
            # Telegram sends an update again for a day, and the queue keeps an hour of records.
            "options": {"job_id": name, "dedup": {"id": name, "ttl": 86_400}},
        }

    async def _offer(self, commands: Sequence[Command]) -> Refused:
        """Those that the limit of their user refuses, and the seconds to wait before they come
        again."""
        answers = await self._world.offer(COMMAND, commands)
        refused = [
            (command, answer["error"]["retry_after"])
            for command, answer in zip(commands, answers, strict=True)
            if "error" in answer
        ]
        self._account.refusals += len(refused)
        return [command for command, _wait in refused], max((w for _c, w in refused), default=0.0)

    async def _come_back(self, refused: Refused) -> None:
        """As n8n does after a 429."""
        commands, wait = refused
        while commands:
            await asyncio.sleep(wait)
            commands, wait = await self._offer(commands)

    async def _remind(self) -> None:
        at = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=REMIND_AFTER)
        reminders = [
            {"user_id": member, "text": f"{member}: stand-up meeting", "at": at.isoformat()}
            for member in TEAM
        ]
        await self._world.enqueue("flrts.reminders.schedule", "reminder.schedule", reminders)
        self._account.reminders = {f"Reminder: {one['text']}": at for one in reminders}

    async def _change(self, owner: int) -> None:
        """One task is done by a command, one in OpenProject, which tells it twice, and one in
        OpenProject while its webhook is down. Another one goes out of sight there."""
        world, project = self._world, self._world.standins.openproject
        tasks = await self._tasks_of(owner, len(MATTERS))
        done, told, untold, hidden = tasks[:4]
        await self._offer([self._command(owner, f"/done #{done}")])
        package = project.close(told)
        event = {
            "action": "work_package:updated",
            "work_package": {"id": told, "lockVersion": package["lockVersion"]},
        }
        await world.enqueue("flrts.openproject.webhook", "openproject.event", [event, event])
        project.close(untold)
        project.hidden.add(hidden)
        await world.request("POST", "/api/v1/schedules/tasks/openproject-sync/run")
        world.log(f"tasks #{done}, #{told} and #{untold} are closed, each in another way")
        world.log(f"task #{hidden} is out of sight")
        self._account.closed = {done, told, untold}
        self._account.hidden = hidden
        self._account.done_by_command = (owner, done)

    async def _tasks_of(self, user: int, number: int) -> list[int]:
        """The user's tasks, once there are so many."""

        async def are_there() -> bool:
            return len(await self._open_tasks(user)) == number

        await self._world.until(
            are_there, "the tasks are created", progress=self._world.finished_jobs
        )
        return await self._open_tasks(user)

    async def _open_tasks(self, user: int) -> list[int]:
        rows = await asyncio.to_thread(self._tables().open_tasks_of, user, 100)
        return [row.task for row in rows]

    async def _look(self) -> None:
        """Keep what the store holds now."""
        self._account.stored += await dump_store(self._world.local)

    def _tables(self) -> Tables:
        return tables_in(self._world.inbound)
