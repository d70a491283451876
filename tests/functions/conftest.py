"""Functions as their platforms run them: settings from a real environment, the store over loopback
HTTP, and a module loaded afresh for each test, as by a cold start."""

from __future__ import annotations

import asyncio
import importlib
import logging
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest

from shared.cli.servers import LocalStore, local_store
from shared.config.settings import Settings
from shared.connect import connect
from tests.functions.recorded import CRON_SECRET, OPERATOR

DEPLOYED = {
    "TIDEGATE_APPS": "tests.functions.sample:APP",
    "TIDEGATE_API_TOKENS": f"operator:{OPERATOR}",
    "CRON_SECRET": CRON_SECRET,
}
PLATFORMS: Mapping[str, Mapping[str, str | None]] = {
    "lambda": {"AWS_LAMBDA_FUNCTION_NAME": "tidegate-production", "VERCEL": None},
    "vercel": {"AWS_LAMBDA_FUNCTION_NAME": None, "VERCEL": "1"},
    "local": {"AWS_LAMBDA_FUNCTION_NAME": None, "VERCEL": None},
}


@pytest.fixture(scope="session")
def upstash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalStore]:
    """The embedded store over HTTP, in a thread and a loop of its own."""
    started = threading.Event()
    made: list[tuple[LocalStore, Callable[[], object]]] = []

    async def serve() -> None:
        end, loop = asyncio.Event(), asyncio.get_running_loop()
        folder = tmp_path_factory.mktemp("upstash")
        async with local_store(data_dir=folder, volatile=True, port=0, token="of-tests") as local:
            made.append((local, lambda: loop.call_soon_threadsafe(end.set)))
            started.set()
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert started.wait(30), "the embedded store did not start"
    local, stop = made[0]
    yield local
    stop()
    thread.join(30)


@pytest.fixture
def environment(upstash: LocalStore, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """`environment("lambda", CRON_SECRET=None)`: from now on this process runs there, with these
    changes and an empty store (a prefix of its own)."""

    def there(platform: str, **changes: str | None) -> None:
        prefix = {"TIDEGATE_PREFIX": f"t{secrets.token_hex(4)}"}
        variables = {**DEPLOYED, **upstash.environment, **prefix, **PLATFORMS[platform], **changes}
        for name, value in variables.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)

    return there


@pytest.fixture
def store_says(environment: Callable[..., None]) -> Callable[..., Any]:
    """Ask the store past the function: `store_says("stats", queue)`."""

    async def ask(verb: str, *args: Any) -> Any:
        store = connect(Settings.from_env())
        try:
            return await getattr(store, verb)(*args)
        finally:
            await store.close()

    return lambda verb, *args: asyncio.run(ask(verb, *args))


@pytest.fixture
def cold_start() -> Iterator[Callable[[str], ModuleType]]:
    """Loads a function's module anew; after the test what it opened is closed."""
    loaded: list[ModuleType] = []

    def load(name: str) -> ModuleType:
        sys.modules.pop(name, None)
        loaded.append(importlib.import_module(name))
        return loaded[-1]

    yield load
    for module in loaded:
        sys.modules.pop(module.__name__, None)
        module.handler.close()


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """A function configures its process's logging for good; a test's process lives on."""
    logger = logging.getLogger("tidegate")
    names, handlers, level = set(vars(logger)), list(logger.handlers), logger.level
    yield
    for name in set(vars(logger)) - names:
        delattr(logger, name)
    logger.handlers[:] = handlers
    logger.setLevel(level)
    for handler in logging.root.handlers:
        handler.filters[:] = [f for f in handler.filters if type(f).__name__ != "SuppressFilter"]
