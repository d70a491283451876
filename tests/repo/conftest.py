"""The repository as its own tests see it: committed files, documents, and parsed modules."""

from __future__ import annotations

import ast
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_IGNORED = {".venv", ".git", ".cache", ".tidegate", "build", "dist", "mutants", "node_modules"}


def _committed() -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listing.returncode == 0 and listing.stdout:
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:  # a downloaded archive has no history
        paths = [p for p in ROOT.rglob("*") if not _IGNORED & set(p.relative_to(ROOT).parts)]
    return sorted(path for path in paths if path.is_file())


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    """Every committed text file, by its path from the root."""
    contents = {}
    for path in _committed():
        content = path.read_bytes()
        if b"\0" not in content:
            contents[path.relative_to(ROOT).as_posix()] = content.decode("utf-8", errors="replace")
    return contents


@pytest.fixture(scope="session")
def modules() -> dict[str, ast.Module]:
    """Every module that is deployed, parsed, by its path. Also those not committed yet."""
    files = sorted(path for room in ("shared", "functions") for path in (ROOT / room).rglob("*.py"))
    assert files, "shared/ and functions/ hold no module: is this the checkout's root?"
    return {
        path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8"))
        for path in files
    }


@pytest.fixture(scope="session")
def documents() -> str:
    """README and docs/ in one string; decisions are history and document nothing."""
    pages = [
        ROOT / "README.md",
        *(
            page
            for page in sorted((ROOT / "docs").rglob("*.md"))
            if page.parent.name != "decisions"
        ),
    ]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())
