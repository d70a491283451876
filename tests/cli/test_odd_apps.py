"""An application that can't be imported is one sentence that names the user's own line, whatever
the command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.cli.exit_codes import Exit
from tests.cli.conftest import ROOT, Cli

HEAD = "from shared import App\napp = App('odd')\n"
FAILS = [
    ("name.error", f"{HEAD}appp.queue('x')\n", "NameError: name 'appp' is not defined", 3),
    ("syntax", "def f(:\n", "SyntaxError", 1),
    ("exits", "import sys\nsys.exit('no key')\n", "SystemExit: no key", 2),
    ("needs", "import nowhere_at_all\n", "No module named 'nowhere_at_all'", 1),
    ("reads", "open('/nowhere/at/all')\n", "FileNotFoundError", 1),
    ("twice", f"{HEAD}app.queue('x')\napp.queue('x')\n", "queue 'x' is declared twice", 4),
    ("lines", "raise ValueError('one\\ntwo')\n", "ValueError: one two", 1),
    ("dies", "class Odd(BaseException): ...\nraise Odd('!')\n", "Odd: !", 2),
]
COMMANDS = [
    ("dev", "--port", "0", "--store-port", "0", "--volatile"),
    ("drain",),
    ("status",),
    ("dead", "list"),
]


@pytest.mark.parametrize(("name", "text", "what", "line"), FAILS)
def test_a_failed_import_is_one_sentence_with_the_user_s_line(
    cli: Cli, module: Path, name: str, text: str, what: str, line: int
) -> None:
    module.write_text(text, encoding="utf-8")

    for command in COMMANDS:
        ran = cli(*command)

        assert (ran.code, ran.err.count("\n")) == (Exit.CONFIGURATION, 1), name
        assert ran.err.startswith("tidegate: TIDEGATE_APPS: can't import 'odd_app': ")
        assert what in ran.err
        assert f"odd_app.py:{line}" in ran.err


@pytest.mark.parametrize(
    ("attribute", "sentence"),
    [
        ("app", "has no 'app'; it was imported from {module}"),
        ("number", "is neither an App nor a list of them"),
        ("queue", "is neither an App nor a list of them"),
        ("mixed", "is neither an App nor a list of them"),
        ("make", "is neither an App nor a list of them"),
        ("", "is not module:attribute"),
    ],
)
def test_what_is_no_application_is_one_sentence(
    cli: Cli, module: Path, monkeypatch: pytest.MonkeyPatch, attribute: str, sentence: str
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", f"odd_app:{attribute}")
    module.write_text(
        "from shared import App\nnumber = 7\nqueue = App('o').queue('q')\n"
        "mixed = [App('a'), 3]\ndef make(): return App('b')\n",
        encoding="utf-8",
    )

    for command in COMMANDS:
        ran = cli(*command)
        assert (ran.code, ran.err.count("\n")) == (Exit.CONFIGURATION, 1)
        assert sentence.format(module=module) in ran.err


def test_doctor_says_the_same(cli: Cli, module: Path) -> None:
    module.write_text("raise ValueError('no')\n", encoding="utf-8")

    findings = {one["check"]: one for one in cli("doctor", "--json").json["findings"]}

    assert findings["apps"]["verdict"] == "FAIL"
    assert "ValueError: no (odd_app.py:1 in <module>)" in findings["apps"]["detail"]


@pytest.mark.parametrize(("name", "text", "what", "line"), FAILS)
def test_a_project_s_own_list_of_applications_fails_alike(
    environ: Path, tmp_path: Path, name: str, text: str, what: str, line: int
) -> None:
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / "__init__.py").touch()
    (tmp_path / "functions" / "apps.py").write_text(text, encoding="utf-8")

    ran = subprocess.run(
        [sys.executable, "-m", "shared.cli", "status"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "TIDEGATE_DATA": str(environ)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ran.returncode, ran.stderr.count("\n")) == (Exit.CONFIGURATION, 1), name
    assert ran.stderr.startswith("tidegate: TIDEGATE_APPS: can't import 'functions.apps': ")
    assert what in ran.stderr
    assert f"functions/apps.py:{line}" in ran.stderr


@pytest.mark.parametrize(
    ("args", "place"),
    [
        (("schedules", "run", "early"), "odd_app.py:14 in day"),
        (("enqueue", "q", "t", "-p", '{"n": 1}'), "odd_app.py:8 in look"),
    ],
)
def test_user_code_that_raises_in_a_command_is_one_sentence(
    cli: Cli, module: Path, args: tuple[str, ...], place: str
) -> None:
    module.write_text(
        "from pydantic import BaseModel, field_validator\n"
        "from shared import App\n"
        "app = App('odd')\n"
        "class M(BaseModel):\n"
        "    n: int = 0\n"
        "    @field_validator('n')\n"
        "    def look(cls, n):\n"
        "        return {}['absent']\n"
        "q = app.queue('q')\n"
        "@q.job('t')\n"
        "async def run(payload: M) -> None: ...\n"
        "\n"
        "def day(planned):\n"
        "    return {}['absent']\n"
        "app.schedule('early', run, day, cron='@daily')\n",
        encoding="utf-8",
    )

    ran = cli(*args)

    assert ran.code is Exit.FAILED
    assert ran.err == f"tidegate: your code failed: KeyError: 'absent' ({place})\n"


def test_the_start_of_a_function_ends_with_the_sentence(module: Path) -> None:
    module.write_text("raise ValueError('no')\n", encoding="utf-8")

    ran = subprocess.run(
        [sys.executable, "-c", "import functions.drain"],
        cwd=ROOT,
        env={"PYTHONPATH": f"{module.parent}:{ROOT}", "TIDEGATE_APPS": "odd_app:app"},
        capture_output=True,
        text=True,
        check=False,
    )

    last = ran.stderr.splitlines()[-1]
    assert last.endswith("can't import 'odd_app': ValueError: no (odd_app.py:1 in <module>)")
    assert "During handling" not in ran.stderr


@pytest.fixture
def module(tmp_path: Path, environ: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The file of an application that is imported anew each time."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("TIDEGATE_APPS", "odd_app:app")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path / "odd_app.py"
    sys.modules.pop("odd_app", None)


@pytest.mark.parametrize("reference", ["./a4.py:ap", "../a4:ap", "src/a4:ap", ".a4:ap", "a-4:ap"])
def test_a_path_in_place_of_a_module_is_one_sentence(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, reference: str
) -> None:
    monkeypatch.setenv("TIDEGATE_APPS", reference)

    ran = cli("status")

    assert (ran.code, ran.err.count("\n")) == (Exit.CONFIGURATION, 1)
    assert f"{reference!r} is not module:attribute; write the module as an import does" in ran.err
