"""An AWS emulator, moto, on one port until stopped: `python aws_emulator.py PORT`. It runs in an
environment of its own (requirements/aws.txt), so it imports nothing of this repository."""

from __future__ import annotations

import signal
import sys

import moto.cloudformation.models
from moto.server import ThreadedMotoServer


def main(port: int) -> None:
    """Serve until SIGTERM."""
    # moto refuses a template for any of cfn-lint's warnings; the rehearsal runs cfn-lint itself.
    vars(moto.cloudformation.models)["validate_template_cfn_lint"] = lambda _template: []
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    print("READY", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop()


if __name__ == "__main__":
    main(int(sys.argv[1]))
