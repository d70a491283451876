"""The maintain function as processes: a zygote that forks one for each line of its input, "STEP",
which kills itself at that step (0: never). Prints how each ended: its exit code, -9 where killed.

`python -m tests.archive.function STORE_URL TOKEN POSTGRES_URL`
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from shared import App
from shared.archive.maintain import Maintenance
from shared.drain.budget import Budget
from shared.store import Store
from shared.store.client.rest import Rest
from tests.archive.steps import stopping

app = App("letters")
queues = [app.queue("q"), app.queue("other")]


async def maintain(url: str, token: str, postgres: str) -> int:
    store = Store(Rest(url, token), "test")
    report = await Maintenance(postgres, 30).run(store, queues, Budget.of(60))
    await store.close()
    return 0 if report.stop == "done" else 3


def main(url: str, token: str, postgres: str) -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            with stopping(int(line), lambda: os.kill(os.getpid(), signal.SIGKILL)):
                os._exit(asyncio.run(maintain(url, token, postgres)))
        _pid, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:4])
