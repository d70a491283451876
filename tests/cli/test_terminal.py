"""Output on a terminal, and the search for a project's own modules."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import ROOT, Cli

PROJECT = """
from pydantic import BaseModel
from shared import App

class Empty(BaseModel):
    pass

app = App("elsewhere")
errands = app.queue("errands")

@errands.job("errand")
async def run(payload: Empty) -> None:
    pass
"""


def on_terminal(*args: str) -> str:
    """The output of a command whose stdout and stderr are a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.cli", *args],
        cwd=ROOT,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:  # on Linux the read fails when the other end has closed
        pass
    os.close(ours)
    assert process.wait(timeout=30) == 0, shown
    return shown.decode()


def test_a_table_has_a_frame_on_a_terminal(environ: Path) -> None:
    shown = on_terminal("status")

    assert "\x1b[1m" in shown
    assert "───" in shown
    assert "work" in shown


def test_bulk_shows_its_progress_on_a_terminal(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "notes.ndjson"
    file.write_text('{"text": "x"}\n' * 1200)

    shown = on_terminal("enqueue", "work", "note.keep", "-p", f"@{file}")

    assert "enqueue on work" in shown
    assert "100%" in shown
    assert "1,200 enqueued" in shown


def test_modules_of_a_project_are_imported_from_the_working_directory(
    environ: Path, tmp_path: Path
) -> None:
    (tmp_path / "errands_app.py").write_text(PROJECT)
    script = tmp_path / "bin" / "tidegate"
    script.parent.mkdir()
    script.write_text("from shared.cli import main\nmain()\n")

    ran = subprocess.run(
        [sys.executable, script, "status"],
        cwd=tmp_path,
        env={**os.environ, "TIDEGATE_APPS": "errands_app:app", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[1].split()[0] == "errands"
