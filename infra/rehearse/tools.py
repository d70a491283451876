"""The external tools of the rehearsal, each in its own folder under .cache/rehearse. A tool is
installed from the locks beside this file on first use and after a change of its lock."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from ..manifest import LOCK, ROOT
from ..package import uv
from .checks import CheckFailed, StepSkipped, check

HERE = Path(__file__).resolve().parent
CACHE = ROOT / ".cache" / "rehearse"
NODE_NEEDED = 20


def node_modules() -> Path:
    """osls, serverless-offline and the Vercel CLI, exactly as locked."""
    if shutil.which("npm") is None or _node_major() < NODE_NEEDED:
        raise StepSkipped(f"needs Node.js {NODE_NEEDED} or newer with npm")
    locks = [HERE / "package.json", HERE / "package-lock.json"]

    def install(folder: Path) -> None:
        for lock in locks:
            shutil.copyfile(lock, folder / lock.name)
        quiet = ["--no-audit", "--no-fund", "--loglevel=error", "--ignore-scripts"]
        # Without scripts: one of a package could download from outside the registry.
        # Not `npm ci`: it refuses a lock without the binaries of other platforms.
        run_tool(["npm", "install", *quiet], cwd=folder)
        locked = (folder / "package-lock.json").read_bytes()
        check(locked == locks[1].read_bytes(), "npm installed something else than its lock says")

    return _make("node", locks, install) / "node_modules"


def plain_environment(interpreter: Path, version: str) -> Path:
    """An environment with the runtime's lock and its byte code, as a checkout on a server has it;
    returns its interpreter."""

    def install(folder: Path) -> None:
        python = _environment(folder, interpreter)
        command = [str(uv()), "pip", "install", "--quiet", "--compile-bytecode", "--python"]
        run_tool([*command, str(python), "--require-hashes", "--no-deps", "-r", str(LOCK)])

    return _make(f"plain-{version}", [LOCK], install) / "env" / "bin" / "python"


def empty_environment(interpreter: Path, version: str) -> Path:
    """An environment with nothing in it: what a machine's own Python has installed costs time at
    every start. Returns its interpreter."""

    def install(folder: Path) -> None:
        _environment(folder, interpreter)

    return _make(f"empty-{version}", [], install) / "env" / "bin" / "python"


def python_tools(lock: str, interpreter: Path, version: str) -> Path:
    """An environment with what `requirements/<lock>.txt` names; returns its interpreter."""
    requirements = HERE / "requirements" / f"{lock}.txt"

    def install(folder: Path) -> None:
        python = _environment(folder, interpreter)
        command = [str(uv()), "pip", "install", "--quiet", "--python", str(python)]
        run_tool([*command, "--require-hashes", "--no-deps", "-r", str(requirements)])

    return _make(f"{lock}-{version}", [requirements], install) / "env" / "bin" / "python"


def lambda_emulator() -> Path:
    """AWS's own runtime interface emulator, out of the wheel of the SAM CLI that ships it."""
    requirements = HERE / "requirements" / "emulator.txt"
    arm = platform.machine() in ("aarch64", "arm64")
    name = f"samcli/local/rapid/aws-lambda-rie-{'arm64' if arm else 'x86_64'}"

    def install(folder: Path) -> None:
        wheel = folder / "wheel"
        command = [str(uv()), "pip", "install", "--quiet", "--target", str(wheel), "--no-deps"]
        run_tool([*command, "--require-hashes", "-r", str(requirements)])
        shutil.copyfile(wheel / name, folder / "rie")
        (folder / "rie").chmod(0o755)
        shutil.rmtree(wheel)

    return _make("emulator", [requirements], install) / "rie"


def run_tool(
    command: list[str],
    *,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    within: float = 600,
) -> str:
    """The command's output. Raises CheckFailed, with the end of the output, if the command fails or
    exceeds `within` seconds."""
    try:
        result = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=within,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"`{' '.join(command[:3])} …` took more than {within:g} s") from error
    if result.returncode != 0:
        output = result.stdout[-3000:]
        raise CheckFailed(f"`{' '.join(command)}` ended with {result.returncode}:\n{output}")
    return result.stdout


def bare_environment(**more: str) -> dict[str, str]:
    """PATH, HOME, LANG and `more`, so that no setting of this machine reaches a function."""
    base = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**base, **more}


def tool_environment(**more: str) -> dict[str, str]:
    """The environment of an installer (proxies, certificates, mirrors), without the settings of a
    deployment. uv fetches no interpreter: it would come from outside the package registries."""
    settings = (
        *("AWS_", "TIDEGATE_", "JOURNAL_", "UPSTASH_", "KV_"),
        *("VERCEL_", "CRON_SECRET", "DATABASE_URL"),
    )
    base = {name: value for name, value in os.environ.items() if not name.startswith(settings)}
    return {**base, "UV_PYTHON_DOWNLOADS": "never", **more}


def _environment(folder: Path, interpreter: Path) -> Path:
    command = [str(uv()), "venv", "--quiet", "--no-python-downloads", "--python", str(interpreter)]
    run_tool([*command, str(folder / "env")])
    return folder / "env" / "bin" / "python"


def _make(name: str, locks: list[Path], install: Callable[[Path], None]) -> Path:
    digest = hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()
    folder, stamp = CACHE / name, CACHE / name / ".ready"
    if not stamp.exists() or stamp.read_text("utf-8") != digest:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        install(folder)
        stamp.write_text(digest, "utf-8")
    return folder


def _node_major() -> int:
    node = shutil.which("node")
    if node is None:
        return 0
    result = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    return int(result.stdout.lstrip("v").partition(".")[0] or 0)
