"""`make simulate SEED=… STEPS=… ENGINE=… JOBS=…`: simulate, print what was done, exit 1 with a
shrunk story."""

from __future__ import annotations

import sys

from .campaign import main

if __name__ == "__main__":
    _name, seed, steps, engine, jobs = sys.argv
    sys.exit(main(int(seed), int(steps), engine, int(jobs)))
