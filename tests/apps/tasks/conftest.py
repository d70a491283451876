from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from functions.apps.tasks import Update, app
from functions.apps.tasks.tables import Tables, tables_in
from functions.providers.database import close_databases
from functions.providers.telegram import API as TELEGRAM
from shared.declare.app import Registry
from shared.drain.budget import Budget
from shared.drain.drain import Drain
from shared.store import Store
from shared.testing import FakeClock

ADA, BO, STRANGER = 279058397, 279058398, 13
API = "https://projects.example/api/v3"
CREATE = f"{API}/projects/flrts/work_packages"
SEND = f"{TELEGRAM}/bot7:token/sendMessage"

Answer = Callable[[httpx.Request], httpx.Response]


@dataclass
class Projects:
    """An OpenProject that remembers what is created. `faults`: what happens to the next requests:
    None, an answer, or "lost": done, and the answer does not arrive."""

    packages: dict[int, dict[str, Any]] = field(default_factory=dict)
    faults: list[httpx.Response | str | None] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, httpx.Response):
            return fault
        answer = self._answer(request)
        if fault == "lost":
            raise httpx.ReadTimeout("slow", request=request)
        return answer

    def add(self, subject: str = "Buy milk", *, closed: bool = False) -> int:
        """A work package that somebody made in OpenProject itself."""
        return int(self._put(len(self.packages) + 37, {"subject": subject}, closed=closed)["id"])

    def edit(self, number: int, **changes: Any) -> None:
        """A change that somebody made in OpenProject itself."""
        closed = changes.pop("closed", None)
        self._put(number, changes, closed=closed)

    @property
    def posts(self) -> int:
        return sum(request.method == "POST" for request in self.requests)

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "POST":
            body = json.loads(request.content)
            return httpx.Response(201, json=self._put(len(self.packages) + 37, body, closed=False))
        if "filters" in request.url.params:
            return self._list(request.url.params["filters"])
        number = int(request.url.path.rpartition("/")[2])
        if number not in self.packages:
            error = "urn:openproject-org:api:v3:errors:NotFound"
            body = {"_type": "Error", "errorIdentifier": error, "message": "not found"}
            return httpx.Response(404, json=body)
        if request.method == "PATCH":
            body = json.loads(request.content)
            if body.pop("lockVersion") != self.packages[number]["lockVersion"]:
                return httpx.Response(409, json={"_type": "Error", "message": "conflict"})
            closed = "status" in body.pop("_links", {}) or None
            return httpx.Response(200, json=self._put(number, body, closed=closed))
        return httpx.Response(200, json=self.packages[number])

    def _put(self, number: int, body: dict[str, Any], *, closed: bool | None) -> dict[str, Any]:
        old = self.packages.get(number, {"lockVersion": -1, "dueDate": None, "_embedded": {}})
        status = old["_embedded"].get("status", {"isClosed": False})
        new = {**old, **body, "id": number, "lockVersion": old["lockVersion"] + 1}
        new["_embedded"] = {"status": status if closed is None else {"isClosed": closed}}
        self.packages[number] = new
        return new

    def _list(self, text: str) -> httpx.Response:
        ((name, rule),) = json.loads(text)[0].items()
        # It refuses a list of ids, unless it shows each of them.
        if name == "id" and not {int(one) for one in rule["values"]} <= set(self.packages):
            error = "urn:openproject-org:api:v3:errors:InvalidQuery"
            message = "ID filter has invalid values."
            body = {"_type": "Error", "errorIdentifier": error, "message": message}
            return httpx.Response(400, json=body)
        found = [
            {key: value for key, value in package.items() if key != "_embedded"}
            for package in self.packages.values()
            if (
                str(package["id"]) in rule["values"]
                if name == "id"
                else rule["values"][0] in package.get("description", {}).get("raw", "")
            )
        ]
        collection = {"_type": "WorkPackageCollection", "_embedded": {"elements": found}}
        return httpx.Response(200, json=collection)


@dataclass
class Chat:
    """The messages that the bot sent: (chat, text). `topics`: that of each; `faults`: the answers
    to the next ones."""

    sent: list[tuple[int, str]] = field(default_factory=list)
    topics: list[int | None] = field(default_factory=list)
    faults: list[httpx.Response] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.faults:
            return self.faults.pop(0)
        body = json.loads(request.content)
        self.sent.append((body["chat_id"], body["text"]))
        self.topics.append(body.get("message_thread_id"))
        return httpx.Response(200, json={"ok": True, "result": {"message_id": len(self.sent)}})


@pytest.fixture
def tables(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tables]:
    """The application's tables, in a file and in Postgres."""
    monkeypatch.setenv("TASKS_DATA_DIR", str(tmp_path))
    yield tables_in(tmp_path)
    close_databases()


@pytest.fixture
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    """The services that the application calls, with accounts there, and a team of two."""
    for name, value in {
        "OPENPROJECT_URL": "https://projects.example",
        "OPENPROJECT_API_KEY": "s3cret",
        "OPENPROJECT_PROJECT": "flrts",
        "TELEGRAM_BOT_TOKEN": "7:token",
        "TELEGRAM_USERS": f"{ADA},{BO}",
        "TASKS_DATA_DIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    with respx.mock(assert_all_called=False) as router:
        yield router
    close_databases()


@pytest.fixture
def projects(outside: respx.MockRouter) -> Projects:
    fake = Projects()
    outside.route(host="projects.example").mock(side_effect=fake)
    return fake


@pytest.fixture
def chat(outside: respx.MockRouter) -> Chat:
    fake = Chat()
    outside.post(SEND).mock(side_effect=fake)
    return fake


def update(
    text: str, *, user: int = ADA, chat: int | None = None, number: int = 1, **message: Any
) -> Update:
    """An update as Telegram sends it for a message."""
    return Update.model_validate(
        {
            "update_id": 10_000 + number,
            "message": {
                "message_id": 1365,
                "from": {
                    "id": user,
                    "is_bot": False,
                    "first_name": "Ada",
                    "username": "ada",
                    "language_code": "en",
                },
                "chat": {"id": user if chat is None else chat, "type": "private"},
                "date": 1767258000,  # 2026-01-01 09:00 UTC
                "text": text,
                "entities": [{"offset": 0, "length": 5, "type": "bot_command"}],
                **message,
            },
        }
    )


async def drain(store: Store, clock: FakeClock, *, seconds: float = 0.0) -> None:
    """After so many seconds, run whatever is due on all queues, and what that enqueues."""
    clock.advance(seconds)
    for _ in range(5):  # a command, its task, its message; one more finds nothing
        run = Drain(store, Registry([app]), Budget.of(60, clock=clock))
        await run.run(list(app.queues.values()))
