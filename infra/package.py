"""The packaging of functions as deterministic zips:
`python -m infra.package [--app weather] [--arch arm64] [api] [drain]`.

The dependencies of requirements/runtime.txt, and what the applications need beside, are installed
for the target platform, on any machine.
The build fails if a locked distribution is missing from it, or if a source file is not in git.
Byte code is included if this machine has the target's interpreter; it halves a cold start. Times,
order and modes are fixed, so that equal sources give equal bytes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.utils import canonicalize_name

from .interpreters import find_python
from .manifest import (
    APPS,
    FUNCTIONS,
    LOCK,
    ROOT,
    SOURCES,
    Function,
    PackagingError,
    functions,
    left_out,
    locked,
    own_files,
    source_files,
)

RUNTIME = "3.13"
"""The Lambda runtime that serverless.yml names."""
UV = "0.13.9"
PLATFORMS = {"x86_64": "x86_64-manylinux_2_28", "arm64": "aarch64-manylinux_2_28"}
"""Lambda's architectures; its Amazon Linux 2023 has glibc 2.34."""
TASK_ROOT = "/var/task"
"""The folder into which Lambda unzips; tracebacks have its paths."""
EPOCH = (1980, 1, 1, 0, 0, 0)
LARGEST_DRAIN = 12 * 2**20
"""Bytes of a drain whose applications need nothing beside the engine: a cold start loads them."""
LARGEST_ZIP = 50 * 2**20
"""Bytes that Lambda takes for a zip."""
ALL = "all"
"""The folder of a deployment that serves every application."""
_INSTALLERS_NOTES = ("RECORD", "INSTALLER", "REQUESTED", "uv_cache.json", "direct_url.json")


@dataclass(frozen=True, slots=True)
class Target:
    """The runtime and the architecture of an artefact."""

    runtime: str = RUNTIME
    arch: str = "x86_64"

    @classmethod
    def here(cls, runtime: str) -> Target:
        """A target with this machine's architecture."""
        arm = platform.machine() in ("aarch64", "arm64")
        return cls(runtime, "arm64" if arm else "x86_64")


@dataclass(frozen=True, slots=True)
class Artefact:
    """A zip and its size. `byte_code`: it has .pyc files for its runtime."""

    path: Path
    function: Function
    target: Target
    zipped: int
    unzipped: int
    byte_code: bool
    sha256: str

    def __str__(self) -> str:
        code = "with" if self.byte_code else "WITHOUT (no such interpreter here)"
        return (
            f"{self.path.name}: python{self.target.runtime} {self.target.arch}, "
            f"{self.zipped / 2**20:.2f} MB zipped, {self.unzipped / 2**20:.2f} MB unzipped, "
            f"{code} byte code, sha256 {self.sha256[:16]}"
        )


def build(
    function: Function, target: Target, folder: Path, *, root: Path = ROOT, lock: Path = LOCK
) -> Artefact:
    """Make `<folder>/<function>.zip` of the sources in `root`. The same sources and lock give the
    same bytes. Raises PackagingError."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{function.name}.zip"
    with tempfile.TemporaryDirectory(prefix="tidegate-build-") as made:
        tree = Path(made) / "tree"
        install(function, target, tree, lock)
        for relative in own_files(function, root):
            (tree / relative).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(root / relative, tree / relative)
        interpreter = find_python(target.runtime)
        if interpreter is not None:
            compile_tree(interpreter, tree)
        unzipped = write_zip(tree, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    size = path.stat().st_size
    return Artefact(path, function, target, size, unzipped, interpreter is not None, digest)


def snapshot(folder: Path) -> Path:
    """A copy of the sources, so that edits during a rehearsal change nothing."""
    for path in source_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, folder / path)
    return folder


def install(function: Function, target: Target, tree: Path, lock: Path = LOCK) -> None:
    """The function's locked distributions, for `target`, into `tree`: wheels only, hashes checked,
    without scripts and installers' notes. Raises PackagingError if one is missing."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(locked(function, lock).values()))
        requirements.flush()
        command = [str(uv()), "pip", "install", "--quiet", "--target", str(tree)]
        command += ["--python-version", target.runtime, "--only-binary", ":all:", "--no-deps"]
        command += ["--python-platform", PLATFORMS[target.arch], "--link-mode", "copy"]
        command += ["--python", sys.executable, "--require-hashes", "-r", requirements.name]
        subprocess.run(command, check=True, env={**os.environ, "UV_PYTHON_DOWNLOADS": "never"})
    check_complete(function, target, tree, lock)
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for notes in tree.glob("*.dist-info"):
        for name in _INSTALLERS_NOTES:
            (notes / name).unlink(missing_ok=True)
    for path in tree.glob(".lock"):
        path.unlink()


def check_complete(function: Function, target: Target, tree: Path, lock: Path = LOCK) -> None:
    """Raises PackagingError, with its name, for a locked distribution that `tree` has not: in this
    version, and with every file that it installs."""
    installed = {canonicalize_name(one.name): one for one in distributions(path=[str(tree)])}
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[target.arch]
    platform_of_target = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "platform_machine": machine,
        "python_version": target.runtime,
        "python_full_version": f"{target.runtime}.0",
    }
    for requirement in locked(function, lock):
        if requirement.marker is None or requirement.marker.evaluate(platform_of_target):
            found = installed.get(canonicalize_name(requirement.name))
            problem = _problem(found)
            if found is not None and not requirement.specifier.contains(
                found.version, prereleases=True
            ):
                problem = f"it is there in version {found.version}"
            if problem:
                raise PackagingError(
                    f"{requirement} is locked, and {function.name} lacks it: {problem}"
                )


def _problem(found: Distribution | None) -> str:
    if found is None:
        return "nothing of it was installed"
    absent = [str(file) for file in found.files or () if not Path(str(file.locate())).exists()]
    return f"without {absent[0]}" if absent else ""


def check_committed(root: Path = ROOT) -> None:
    """Raises PackagingError for a source file that git does not track: what is deployed can be
    found again, and a file that was forgotten there is not published."""
    command = ["git", "ls-files", "-z", *SOURCES]
    listing = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        print("not a git work tree: untracked files are not looked for", file=sys.stderr)
        return
    tracked = set(listing.stdout.split("\0"))
    untracked = [path.as_posix() for path in source_files(root) if path.as_posix() not in tracked]
    if untracked:
        raise PackagingError(
            f"git does not track {', '.join(untracked)}: `git add` what belongs to the "
            "deployment, and remove the rest"
        )


def compile_tree(interpreter: Path, tree: Path) -> None:
    """Byte code that is never checked against times or sources: both are fixed in an artefact."""
    subprocess.run(
        [
            *(str(interpreter), "-m", "compileall", "-q", "-j", "1"),
            *("--invalidation-mode", "unchecked-hash", "-s", str(tree), "-p", TASK_ROOT, str(tree)),
        ],
        check=True,
        # A set among a function's constants is written in hash order.
        env={"PATH": os.environ.get("PATH", ""), "PYTHONHASHSEED": "0"},
    )


def write_zip(tree: Path, path: Path) -> int:
    """Zip `tree` in sorted order with fixed times and modes; returns its unzipped size."""
    unzipped = 0
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        files = [item for item in tree.rglob("*") if item.is_file()]
        for file in sorted(files, key=lambda item: item.relative_to(tree).as_posix()):
            entry = zipfile.ZipInfo(file.relative_to(tree).as_posix(), EPOCH)
            entry.external_attr = 0o100644 << 16
            entry.create_system = 3  # unix, also when built elsewhere
            content = file.read_bytes()
            unzipped += len(content)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED, compresslevel=9)
    return unzipped


def uv() -> Path:
    """The pinned uv, installed under .cache on first use."""
    folder = ROOT / ".cache" / f"uv-{UV}"
    binary = folder / "bin" / "uv"
    if not binary.exists():
        pip_install([f"uv=={UV}"], folder)
    return binary


def pip_install(requirements: list[str], folder: Path) -> None:
    """Install into `folder` with pip: the environment's, or else its base interpreter's."""
    base = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    for python in (sys.executable, str(base)):
        probe = [python, "-m", "pip", "--version"]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            subprocess.run([*install, "--target", str(folder), *requirements], check=True)
            return
    raise SystemExit("infra.package needs pip: on Debian or Ubuntu, apt-get install python3-pip")


def _summary(paths: Sequence[Path]) -> str:
    """Files of the deployment's own applications by name, Tidegate's own by folder."""
    named = [path.as_posix() for path in paths if path.is_relative_to(APPS)]
    folders = Counter("/".join(path.parts[:2]) for path in paths if not path.is_relative_to(APPS))
    named += [f"{count} in {folder}" for folder, count in sorted(folders.items())]
    return ", ".join(named)


def main(arguments: list[str] | None = None) -> int:
    """Build the functions and print their sizes. The exit code is 1 if that fails, or if the drain
    is too large."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=__doc__)
    parser.add_argument("functions", nargs="*", metavar="api|drain", help="default: both")
    parser.add_argument("--app", help="the one application that is served, default: all of them")
    parser.add_argument("--arch", choices=sorted(PLATFORMS), default="x86_64")
    parser.add_argument("--runtime", default=RUNTIME, help=f"Python version, default {RUNTIME}")
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "lambda")
    options = parser.parse_args(arguments)
    unknown = set(options.functions) - set(FUNCTIONS)
    if unknown:
        parser.error(f"no function {', '.join(sorted(unknown))}; there are api and drain")
    if others := left_out():
        print(f"left out, neither Python, Lua nor declared data: {_summary(others)}")
    try:
        check_committed()
        return _build_all(options, functions(options.app))
    except PackagingError as error:
        print(f"infra.package: {error}", file=sys.stderr)
        return 1


def _build_all(options: argparse.Namespace, available: Mapping[str, Function]) -> int:
    status = 0
    folder = options.out / (options.app or ALL) / options.arch
    for name in options.functions or available:
        artefact = build(available[name], Target(options.runtime, options.arch), folder)
        print(artefact)
        if artefact.zipped > largest(artefact.function):
            most = largest(artefact.function) // 2**20
            print(f"{name}.zip is larger than {most} MB", file=sys.stderr)
            status = 1
    return status


def largest(function: Function) -> int:
    """Bytes that its zip may have."""
    return LARGEST_ZIP if function.needs or function.name != "drain" else LARGEST_DRAIN


if __name__ == "__main__":
    sys.exit(main())
