"""A copy of this repository, in which a test may add and remove what it likes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PARTS = ("functions", "shared", "infra", "requirements", "tests")
FILES = (
    *("serverless.yml", "vercel.json", "pyproject.toml", "README.md"),
    *(".vercelignore", ".gitignore"),
)
SECONDS = 100


class Checkout:
    """The copy. Its commands run with this environment's packages and its own sources."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        left_out = shutil.ignore_patterns("__pycache__", ".tidegate")
        for name in PARTS:
            shutil.copytree(ROOT / name, folder / name, ignore=left_out)
        for name in FILES:
            shutil.copyfile(ROOT / name, folder / name)
        (folder / ".venv").symlink_to(Path(sys.prefix))
        (folder / ".cache").mkdir()
        for tool in (ROOT / ".cache").glob("uv-*"):  # not installed anew by infra.package
            (folder / ".cache" / tool.name).symlink_to(tool)

    def commit(self) -> None:
        """Make the copy a git repository in which all is committed, as a clone is."""
        author = ("-c", "user.name=test", "-c", "user.email=test@localhost")
        self.run("git", "init", "--quiet")
        self.run("git", "add", ".")
        self.run("git", *author, "commit", "--quiet", "--message", "a clone")

    def write(self, name: str, text: str) -> None:
        """A new file."""
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        """Change one place of a file. Fails unless it is there once."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{name} has {text.count(old)} of {old!r}"
        (self.folder / name).write_text(text.replace(old, new), encoding="utf-8")

    def run(self, *command: str) -> str:
        """The output of a command in the copy. Fails with it unless the command succeeds."""
        ours = ("TIDEGATE_", "UPSTASH_", "AWS_", "VERCEL", "PYTEST_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        # The copy comes before the checkout that this environment has installed.
        env |= {"PYTHONPATH": str(self.folder), "PYTHONDONTWRITEBYTECODE": "1"}
        ran = subprocess.run(
            command, cwd=self.folder, env=env, capture_output=True, text=True, check=False,
            timeout=SECONDS,
        )  # fmt: skip
        assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def pytest(self, *arguments: str) -> str:
        """Run tests of the copy."""
        return self.run(".venv/bin/pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *arguments)
