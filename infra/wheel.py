"""The package tidegate as a wheel in dist/: `python -m infra.wheel`.

pyproject.toml lists the kinds of files that it holds. The build fails if one of them is not in git:
whoever installs the wheel reads it all.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from .manifest import ROOT, PackagingError

PACKAGE, FOLDER = "tidegate/", "shared/"
"""The package's name in the wheel, and its folder here."""


def build(folder: Path, root: Path = ROOT) -> Path:
    """Make the wheel of the sources in `root`, and put it into `folder`. Raises PackagingError."""
    with tempfile.TemporaryDirectory(prefix="tidegate-wheel-") as made:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", made]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)
        (wheel,) = Path(made).glob("*.whl")
        check_tracked(wheel, root)
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / wheel.name
        target.write_bytes(wheel.read_bytes())
    return target


def check_tracked(wheel: Path, root: Path) -> None:
    """Raises PackagingError for a file of the wheel that git does not track, and for a link: it may
    lead to anything on this machine."""
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if name.startswith(PACKAGE)]
    sources = [FOLDER + name.removeprefix(PACKAGE) for name in names]
    links = [path for path in sources if (root / path).is_symlink()]
    if links:
        raise PackagingError(f"{links[0]} is a link: put the file itself there, or remove it")
    command = ["git", "ls-files", "-z", FOLDER]
    listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        print("not a git work tree: untracked files are not looked for", file=sys.stderr)
        return
    untracked = sorted(set(sources) - set(listing.stdout.split("\0")))
    if untracked:
        raise PackagingError(
            f"git does not track {', '.join(untracked)}: `git add` what belongs to the package, "
            "and remove the rest"
        )


def main() -> int:
    """Build the wheel and print its path. The exit code is 1 if that fails."""
    try:
        print(build(ROOT / "dist").relative_to(ROOT))
    except PackagingError as error:
        print(f"infra.wheel: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
