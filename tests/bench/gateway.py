"""The embedded store's REST server as a process of its own, in front of the benchmark's Redis.

`python -m tests.bench.gateway REDIS_PORT PORT TOKEN`
"""

from __future__ import annotations

import sys

from shared.embedded.engine import RespEngine
from shared.embedded.protocol import UpstashProtocol
from shared.embedded.server import run


def main(redis_port: int, port: int, token: str) -> None:
    engine = RespEngine(lambda: ("127.0.0.1", redis_port), name="redis", volatile=True)
    run(UpstashProtocol(engine, token=token), port=port)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
