"""taskiq on a stream: messages are acknowledged."""

from __future__ import annotations

from taskiq_redis import RedisStreamBroker  # type: ignore[import-not-found]

from tests.bench.peers.taskiq_peer import peer

if __name__ == "__main__":
    peer(RedisStreamBroker)
