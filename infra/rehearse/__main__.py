"""The rehearsal's command line: it runs all steps or the named ones, with one line per result."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

from .application_steps import lambda_apps, vercel_apps
from .aws_steps import sls_deploy, sls_package
from .checks import CheckFailed, StepSkipped
from .coldstart import cold_starts
from .lambda_steps import lambda_journey, lambda_kill, lambda_sigterm
from .local_steps import sls_invoke_local, sls_offline
from .package_steps import packages
from .project_steps import new_project
from .vercel_steps import vercel_build, vercel_run, vercel_sigterm

STEPS: dict[str, Callable[[], str]] = {
    "package": packages,
    "lambda-apps": lambda_apps,
    "lambda-journey": lambda_journey,
    "lambda-kill": lambda_kill,
    "lambda-sigterm": lambda_sigterm,
    "sls-package": sls_package,
    "sls-deploy": sls_deploy,
    "sls-invoke-local": sls_invoke_local,
    "sls-offline": sls_offline,
    "new-project": new_project,
    "vercel-build": vercel_build,
    "vercel-apps": vercel_apps,
    "vercel-run": vercel_run,
    "vercel-sigterm": vercel_sigterm,
    "cold-start": cold_starts,
}


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a step: ok, skipped or FAILED."""

    name: str
    verdict: str
    seconds: float
    detail: str

    def __str__(self) -> str:
        return f"{self.verdict:<8}{self.name:<17}{self.seconds:6.1f} s  {self.detail}"


def run(name: str) -> Result:
    """Run one step. Any exception is a failed step and is printed with its traceback."""
    print(f"--- {name}", flush=True)
    began = time.monotonic()
    try:
        verdict, detail = "ok", STEPS[name]()
    except StepSkipped as reason:
        verdict, detail = "skipped", str(reason)
    except CheckFailed as error:
        verdict, detail = "FAILED", str(error).partition("\n")[0]
        print(error, flush=True)
    except Exception as error:  # noqa: BLE001 - a step that breaks must not keep the others from running
        verdict, detail = "FAILED", f"{type(error).__name__}: {error}"
        traceback.print_exc()
    result = Result(name, verdict, time.monotonic() - began, detail)
    print(result, flush=True)
    return result


def main() -> int:
    """Exit code 1 if a step failed or, with `--all`, if one was skipped."""
    parser = argparse.ArgumentParser(prog="python -m infra.rehearse", description=__doc__)
    parser.add_argument("steps", nargs="*", metavar="step", help=f"of {', '.join(STEPS)}")
    parser.add_argument("--all", action="store_true", help="a skipped step is a failure")
    options = parser.parse_args()
    unknown = sorted(set(options.steps) - set(STEPS))
    if unknown:
        parser.error(f"no step {', '.join(unknown)}")
    results = [run(name) for name in options.steps or STEPS]
    print("\n=== rehearsal")
    for result in results:
        print(result)
    total = sum(result.seconds for result in results)
    bad = {"FAILED", "skipped"} if options.all else {"FAILED"}
    failed = [result.name for result in results if result.verdict in bad]
    ending = f"failed: {', '.join(failed)}" if failed else "nothing failed"
    print(f"{len(results)} steps in {total:.0f} s, {ending}; logs under .cache/rehearse/logs")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
