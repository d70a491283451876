"""A program: run one job of each application that is here, and print what came of it, as JSON."""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from importlib import import_module
from typing import Any

from functions.apps import APPS
from functions.demo.workloads import app_names
from infra.manifest import applications, functions, locked
from shared.declare.app import Registry
from shared.testing import FakeClock, embedded_store, run_job

JOBS: dict[str, Any] = {
    "documents": ("generate_docs", {"title": "x", "pages": ["file:none.md"]}, "dead"),
    "provisioning": (
        "grant_access",
        {"username": "ada", "strategies": ["PUB;aaaaaaaa"], "email": "ada@example.com"},
        "dead",
    ),
    "tasks": ("sync_project", {}, "completed"),
    "trading_journal": (
        "send_email",
        {"to": "ada@example.com", "template": "welcome", "values": {"name": "Ada"}},
        "completed",
    ),
    "weather": (
        "fan_out_alert",
        {"place": "berlin", "kind": "snow", "day": "2026-01-02", "text": "Snow."},
        "completed",
    ),
}
"""Application -> the name of a handler, a payload, and the state in which its job ends where no
provider is configured."""


def main() -> None:
    """Import what a deployment of these applications imports, and drain once for each."""
    Registry(APPS)  # no two of them have a queue of one name
    said = {
        "served": list(applications()),
        "locked": len(locked(functions()["drain"])),
        "shown": app_names(),
        "ended": {app: asyncio.run(end_of_job(app)) for app in applications() if app in JOBS},
    }
    print(json.dumps(said))


async def end_of_job(app: str) -> str:
    """The state in which the application's job ends."""
    name, payload, _state = JOBS[app]
    handler = getattr(import_module(f"functions.apps.{app}"), name)
    clock = FakeClock()
    async with embedded_store(clock=clock) as store:
        job = await run_job(store, handler, handler.model.model_validate(payload), clock=clock)
    return job.state


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {
            "MAIL_FOLDER": f"{folder}/mail",
            "TASKS_DATA_DIR": folder,
            "WEATHER_DATA_DIR": folder,
            "DOCUMENTS_FILES": folder,
            "OPENAI_API_KEY": "none",
        }
        main()
