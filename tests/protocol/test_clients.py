"""The official clients, unchanged, against the embedded store."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from upstash_ratelimit import FixedWindow, Ratelimit, SlidingWindow, TokenBucket
from upstash_ratelimit.asyncio import Ratelimit as AsyncRatelimit
from upstash_redis import Redis
from upstash_redis.asyncio import Redis as AsyncRedis
from upstash_redis.errors import UpstashError

from shared.embedded.engine import RespEngine
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import serving
from shared.embedded.transport import EmbeddedTransport

TOKEN = "secret-token"
NODE = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[2] / ".cache" / "npm-clients"
SCRIPT = "return {KEYS[1], ARGV[1], redis.call('INCR', KEYS[1])}"
SHA = hashlib.sha1(SCRIPT.encode(), usedforsecurity=False).hexdigest()
LIMITERS = {
    "fixed": FixedWindow(max_requests=3, window=1, unit="h"),
    "sliding": SlidingWindow(max_requests=3, window=1, unit="h"),
    "bucket": TokenBucket(max_tokens=3, refill_rate=3, interval=1, unit="h"),
}


@pytest.fixture
def protocol(server_engine: RespEngine) -> UpstashProtocol:
    return UpstashProtocol(server_engine, token=TOKEN)


@pytest.fixture
async def url(protocol: UpstashProtocol) -> AsyncIterator[str]:
    async with serving(protocol) as url:
        yield url


@pytest.fixture
async def redis(protocol: UpstashProtocol) -> AsyncIterator[AsyncRedis]:
    client = AsyncRedis("http://embedded", TOKEN, rest_retries=0)
    await client._http._client.aclose()  # noqa: SLF001 - the client has no public hook
    client._http._client = httpx.AsyncClient(transport=EmbeddedTransport(protocol))  # noqa: SLF001
    yield client
    await client.close()


async def test_the_async_client_in_process(redis: AsyncRedis) -> None:
    assert await redis.set("text", "grüße 🌊", ex=100)
    assert await redis.get("text") == "grüße 🌊"
    assert await redis.get("missing") is None
    assert await redis.hset("hash", values={"a": 1, "b": "two"}) == 2
    assert await redis.hgetall("hash") == {"a": "1", "b": "two"}
    assert await redis.zadd("scores", {"x": 1.5}) == 1
    assert await redis.zrange("scores", 0, -1, withscores=True) == [("x", 1.5)]
    assert await redis.execute(["LMPOP", "1", "none", "LEFT"]) is None
    with pytest.raises(UpstashError, match="WRONGTYPE"):
        await redis.lpush("text", "x")


async def test_the_async_client_runs_scripts(redis: AsyncRedis) -> None:
    with pytest.raises(UpstashError, match="NOSCRIPT"):
        await redis.evalsha(SHA, keys=["k"], args=["v"])

    assert await redis.eval(SCRIPT, keys=["k"], args=["v"]) == ["k", "v", 1]
    assert await redis.evalsha(SHA, keys=["k"], args=["v"]) == ["k", "v", 2]
    assert await redis.script_load(SCRIPT) == SHA
    assert await redis.script_exists(SHA) == [True]
    assert await redis.script_flush() is True
    assert await redis.script_exists(SHA) == [False]


async def test_the_async_client_sends_batches(redis: AsyncRedis) -> None:
    pipeline = redis.pipeline()
    pipeline.set("p", 1).incr("p").get("p")
    transaction = redis.multi()
    transaction.set("m", 1).incr("m")

    assert await pipeline.exec() == [True, 2, "2"]
    assert await transaction.exec() == [True, 2]


def use_sync(url: str) -> None:
    with Redis(url, TOKEN, rest_retries=0) as redis:
        assert redis.set("text", "grüße 🌊")
        assert redis.get("text") == "grüße 🌊"
        assert redis.eval(SCRIPT, keys=["k"], args=["v"]) == ["k", "v", 1]
        pipeline = redis.pipeline()
        pipeline.incr("n")
        pipeline.incr("n")
        assert pipeline.exec() == [1, 2]
        with pytest.raises(UpstashError, match="WRONGTYPE"):
            redis.lpush("text", "x")
    with Redis(url, "wrong", rest_retries=0) as stranger, pytest.raises(UpstashError, match="WRO"):
        stranger.get("text")


async def test_the_sync_client_over_loopback(url: str) -> None:
    await asyncio.to_thread(use_sync, url)


async def test_a_url_with_a_trailing_slash(url: str) -> None:
    client = AsyncRedis(f"{url}/", TOKEN, rest_retries=0)
    pipeline = client.pipeline()
    pipeline.incr("n")

    assert await client.set("a", "b")
    assert await pipeline.exec() == [1]
    await client.close()


@pytest.mark.parametrize("name", LIMITERS)
async def test_the_async_rate_limiter(redis: AsyncRedis, name: str) -> None:
    limiter = AsyncRatelimit(redis, LIMITERS[name], prefix=name)

    answers = [(await limiter.limit("user")).allowed for _ in range(5)]

    assert answers == [True, True, True, False, False]
    assert (await limiter.limit("somebody else")).remaining == 2


@pytest.mark.parametrize("name", LIMITERS)
async def test_the_sync_rate_limiter(url: str, name: str) -> None:
    def use() -> list[bool]:
        with Redis(url, TOKEN, rest_retries=0) as redis:
            limiter = Ratelimit(redis, LIMITERS[name], prefix=name)
            return [limiter.limit("user").allowed for _ in range(5)]

    assert await asyncio.to_thread(use) == [True, True, True, False, False]


async def test_a_token_bucket_is_billed_as_upstash_bills_it(
    redis: AsyncRedis, protocol: UpstashProtocol
) -> None:
    limiter = AsyncRatelimit(redis, LIMITERS["bucket"], prefix="bucket")
    before = protocol.meter.commands

    await limiter.limit("user")
    allowed = protocol.meter.commands - before
    for _ in range(3):
        await limiter.limit("user")

    # Upstash's own table: EVAL, HMGET, HSET, PEXPIRE; and 2 when limited. EVALSHA comes first.
    assert allowed - 1 <= 4 <= allowed
    assert protocol.meter.commands - before == allowed + 4 + 4 + 2


@pytest.fixture(scope="session")
def npm_clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the npm clients of the lock file, installed once per lock."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        missing = "node and npm are needed to run the JavaScript clients"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    lock = (NODE / "package-lock.json").read_bytes()
    folder = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    if not folder.exists():
        # Installed aside and moved whole: parallel test processes may race for it.
        fresh = CACHE / f"new-{os.getpid()}"
        fresh.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(NODE / name, fresh / name)
        install = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(install, cwd=fresh, capture_output=True, text=True, check=False)
        if done.returncode:
            shutil.rmtree(fresh)
            if os.environ.get("CI"):
                pytest.fail(f"npm ci failed:\n{done.stderr}")
            pytest.skip("npm ci failed: the registry can't be reached from here")
        try:
            fresh.rename(folder)
        except OSError:
            shutil.rmtree(fresh)
    return folder


@pytest.mark.parametrize("name", ["redis", "ratelimit"])
async def test_the_npm_clients(npm_clients: Path, url: str, name: str) -> None:
    script = npm_clients / f"{name}.mjs"
    script.write_bytes((NODE / f"{name}.mjs").read_bytes())
    environment: dict[str, Any] = {
        **os.environ,
        "UPSTASH_REDIS_REST_URL": url,
        "UPSTASH_REDIS_REST_TOKEN": TOKEN,
        "UPSTASH_DISABLE_TELEMETRY": "1",
    }

    process = await asyncio.create_subprocess_exec(
        *("node", str(script)),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()

    assert process.returncode == 0, output.decode()
