"""serverless.yml and vercel.json describe this repository: what they name exists."""

from __future__ import annotations

import importlib
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

from infra.manifest import FUNCTIONS, applications, own_files
from infra.package import ALL, RUNTIME
from shared.config.settings import Settings
from shared.hosts.asgi import GATEWAY_SECONDS
from shared.web.routes import ROUTES

ROOT = Path(__file__).parents[2]
CRON_FIELD = re.compile(r"(?:\*|\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*)(?:/[1-9]\d*)?\Z")
CRON_BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
STORE = {"UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"}
ROOT_FILES = ("pyproject.toml", "vercel.json", "README.md", "LICENSE")
STRAYS = (
    *("id_rsa", "credentials", "kubeconfig", "Makefile", ".env", ".hidden.py", "customers.csv"),
    *(
        "key.pem",
        "credentials.env",
        "dump.sql.gz",
        "x.lua.bak",
        "x.py.orig",
        "x.py~",
        "secrets.json",
    ),
)
"""Names of files that nobody means to deploy, in whatever folder."""
VERCEL_LONGEST = 300
"""Seconds: the longest on its smallest plan, so that the file deploys on all of them."""


class _Loader(yaml.SafeLoader):  # type: ignore[misc]
    """YAML with CloudFormation's own tags, which are read as nothing."""


_Loader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)


@pytest.fixture
def aws() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(
        (ROOT / "serverless.yml").read_text(encoding="utf-8"),
        Loader=_Loader,  # noqa: S506 - it is a SafeLoader
    )
    return found


@pytest.fixture
def vercel() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "vercel.json").read_text(encoding="utf-8"))
    return found


def is_cron(expression: str) -> bool:
    """Five fields of numbers, as Vercel takes them: no names, not both days."""
    fields = expression.split(" ")
    if len(fields) != 5 or not all(CRON_FIELD.match(field) for field in fields):
        return False
    for field, (least, most) in zip(fields, CRON_BOUNDS, strict=True):
        if any(not least <= int(n) <= most for n in re.findall(r"\d+", field.partition("/")[0])):
            return False
    return "*" in (fields[2], fields[4])


@pytest.mark.parametrize(
    ("expression", "valid"),
    [("* * * * *", True), ("*/5 0-6 1,15 * *", True), ("61 * * * *", False), ("* * * *", False),
     ("0 0 * JAN *", False), ("0 0 1 * 1", False), ("0 24 * * *", False), ("*/0 * * * *", False)],
)  # fmt: skip
def test_the_cron_check_itself_knows_good_from_bad(expression: str, *, valid: bool) -> None:
    assert is_cron(expression) is valid


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_handler_of_serverless_yml_is_there_and_packaged(
    aws: dict[str, Any], environment: Callable[..., None], name: str
) -> None:
    environment("local")
    function = aws["functions"][name]
    module, _dot, attribute = function["handler"].rpartition(".")

    assert module == FUNCTIONS[name].module
    assert callable(getattr(importlib.import_module(module), attribute))
    assert aws["provider"]["architecture"] == "${param:architecture}"
    folder = "build/lambda/${param:app}/${param:architecture}"
    assert function["package"]["artifact"] == f"{folder}/{name}.zip"
    assert aws["provider"]["runtime"] == f"python{RUNTIME}"


def test_serverless_yml_names_every_function_and_no_other(aws: dict[str, Any]) -> None:
    assert set(aws["functions"]) == set(FUNCTIONS)


def test_a_failed_tick_is_not_repeated_and_an_old_one_not_made_up_for(aws: dict[str, Any]) -> None:
    drain = aws["functions"]["drain"]

    assert (drain["maximumRetryAttempts"], drain["maximumEventAge"]) == (0, 60)
    assert [e["schedule"]["rate"] for e in drain["events"]] == ["rate(1 minute)"]
    assert drain["timeout"] < 900


def test_the_archive_is_maintained_on_a_schedule_of_its_own_where_there_is_one(
    aws: dict[str, Any],
) -> None:
    maintain = aws["functions"]["maintain"]
    (event,) = maintain["events"]

    assert (maintain["maximumRetryAttempts"], maintain["maximumEventAge"]) == (0, 300)
    assert event["schedule"]["rate"] == "rate(5 minutes)"
    assert event["schedule"]["enabled"] == "${self:custom.maintains.${param:archive}}"
    assert aws["custom"]["maintains"] == {"yes": True, "no": False}
    assert aws["params"]["default"]["archive"] == "no"
    assert maintain["timeout"] < 300


def test_the_api_gives_up_before_its_gateway_does(
    aws: dict[str, Any], environment: Callable[..., None]
) -> None:
    environment("local")

    assert aws["functions"]["api"]["timeout"] < 30
    assert aws["functions"]["api"]["timeout"] >= GATEWAY_SECONDS
    assert aws["functions"]["api"]["events"] == [{"httpApi": "*"}]


def secrets_of(aws: dict[str, Any], name: str, archive: str) -> str:
    """The variable TIDEGATE_SECRETS of a function, deployed with this `--param archive`."""
    text = aws["functions"][name]["environment"]["TIDEGATE_SECRETS"]
    text = text.replace(
        "${self:custom.archive.${param:archive}}", aws["custom"]["archive"][archive]
    )
    return re.sub(r"\$\{self:custom\.(\w+)\}", lambda found: aws["custom"][found[1]], text)


@pytest.mark.parametrize("archive", ["yes", "no"])
@pytest.mark.parametrize(
    ("name", "secrets"),
    [
        ("drain", STORE),
        ("api", {*STORE, "TIDEGATE_API_TOKENS", "CRON_SECRET"}),
        ("maintain", STORE),
    ],
)
def test_each_aws_function_is_given_the_names_of_its_secrets_and_of_no_other(
    aws: dict[str, Any], name: str, secrets: set[str], archive: str
) -> None:
    given = {**aws["provider"]["environment"], **aws["functions"][name]["environment"]}
    secrets = {*secrets, "DATABASE_URL"} if archive == "yes" else secrets
    named = secrets_of(aws, name, archive)
    pairs = dict(pair.split("=", 1) for pair in named.split(","))

    assert aws["custom"]["application"] == "", "an example's secret would be missing at the start"
    assert set(pairs) == secrets
    assert all(value.startswith(("ssm:", "secretsmanager:")) for value in pairs.values())
    assert not secrets & set(given), "a secret's value must not lie in the function's configuration"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_each_aws_function_may_read_its_own_secrets_and_no_other(
    aws: dict[str, Any], name: str
) -> None:
    """The parameters that it names are exactly those of its role."""
    roles = (ROOT / "infra" / "aws" / "roles.yml").read_text(encoding="utf-8")
    role = roles.split(f"  {aws['functions'][name]['role']}:\n", 1)[1].split("\n\n", 1)[0]
    named = secrets_of(aws, name, "yes")

    assert sorted(re.findall(r":parameter(/\S+)", role)) == sorted(
        re.findall(r"=ssm:([^,]+)", named)
    )
    assert "*" not in role.replace("*lambda", "")


def test_applications_and_their_secrets_reach_every_aws_function(aws: dict[str, Any]) -> None:
    assert aws["provider"]["environment"]["TIDEGATE_APPS"] == (
        "${env:TIDEGATE_APPS, self:custom.served.${param:app}, 'functions.apps.${param:app}:app'}"
    )
    for function in aws["functions"].values():
        assert function["environment"]["TIDEGATE_SECRETS"].endswith("${self:custom.application}")


def test_each_application_has_a_stage_that_serves_it_alone(aws: dict[str, Any]) -> None:
    stages = {
        name: values["app"]
        for name, values in aws["params"].items()
        if name != "default" and "app" in values
    }

    assert stages == {app.replace("_", "-"): app for app in applications()}
    assert aws["params"]["default"]["app"] == ALL
    assert aws["custom"]["served"] == {ALL: "functions.apps:APPS"}


def test_vercel_json_names_the_entrypoint_and_times_that_settings_agree_with(
    vercel: dict[str, Any],
) -> None:
    (path,) = vercel["functions"]

    assert vercel["framework"] == "python"
    assert (ROOT / path).is_file()
    entrypoint = f"{path.removesuffix('.py').replace('/', '.')}:app"
    assert f'entrypoint = "{entrypoint}"' in (ROOT / "pyproject.toml").read_text()
    assert vercel["functions"][path]["maxDuration"] == Settings().max_duration
    assert vercel["functions"][path]["maxDuration"] <= VERCEL_LONGEST


def test_vercel_jsons_crons_are_valid_and_their_paths_answer_get(vercel: dict[str, Any]) -> None:
    answered = {entry.path for entry in ROUTES if entry.method == "GET"}

    assert vercel["crons"]
    for cron in vercel["crons"]:
        assert cron["path"].partition("?")[0] in answered
        assert is_cron(cron["schedule"])


def test_hobbys_variant_differs_by_a_cron_that_hobby_accepts(vercel: dict[str, Any]) -> None:
    hobby = json.loads((ROOT / "infra" / "vercel" / "hobby.json").read_text(encoding="utf-8"))

    assert {**hobby, "crons": vercel["crons"]} == vercel
    assert [cron["path"] for cron in hobby["crons"]] == [cron["path"] for cron in vercel["crons"]]
    for cron in hobby["crons"]:
        minute, hour, *rest = cron["schedule"].split(" ")
        assert is_cron(cron["schedule"])
        daily = minute.isdigit(), hour.isdigit(), rest
        assert daily == (True, True, ["*", "*", "*"]), "once a day"


def test_vercel_uploads_what_is_shipped_and_none_of_what_lies_beside_it(tmp_path: Path) -> None:
    shipped = {path.as_posix() for path in own_files(FUNCTIONS["api"])}
    ours = {*shipped, "functions/drain.py", "functions/maintain.py", *ROOT_FILES}
    folders = {str(Path(path).parent) for path in ours}
    theirs = {f"{folder}/{name}" for folder in folders for name in STRAYS}
    theirs |= {"infra/package.py", "requirements/dev.txt", "tests/conftest.py", "bin/id_rsa"}
    theirs |= {"functions/keys/id_rsa", "shared/.aws/credentials", "shared/.venv/x.py", "key/x.py"}
    theirs |= {"shared/dump.sql", "shared/store/dump.sql", "functions/dump.sql"}
    for name in ours | theirs:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    ignore = ["--exclude-from", str(ROOT / ".vercelignore")]  # the syntax is git's

    listing = subprocess.run(
        ["git", "ls-files", "--others", *ignore],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip

    assert set(listing.stdout.split()) == ours, "name a new folder in .vercelignore"


def test_vercel_finds_each_folder_as_a_file_without_a_dot() -> None:
    """It asks for "shared/access", not for "shared/access/": only a line of its own lets it through
    and no other name beside it."""
    shipped = own_files(FUNCTIONS["api"])
    folders = {f"!/{folder}" for path in shipped for folder in path.parents if folder.name}
    lines = (ROOT / ".vercelignore").read_text(encoding="utf-8").splitlines()
    allowed = {line for line in lines if line.startswith("!/")}

    without_dot = {line for line in allowed if "." not in Path(line).name}
    assert folders | {"!/LICENSE"} <= without_dot, "name a new folder in .vercelignore"
    others = without_dot - folders - {"!/LICENSE"}  # of applications that are deleted
    assert not [line for line in others if (ROOT / line.removeprefix("!/")).exists()]


def test_vercel_ships_no_secrets_tests_or_developers_tools_and_all_that_is_served(
    vercel: dict[str, Any],
) -> None:
    (function,) = vercel["functions"].values()
    patterns = function["excludeFiles"].strip("{}").split(",")

    def left_out(path: str) -> bool:
        return any(_glob(pattern).fullmatch(path) for pattern in patterns)

    ours = [path.as_posix() for path in own_files(FUNCTIONS["api"])]
    theirs = [".env", ".env.local", ".tidegate/aof/1", "infra/package.py", "serverless.yml"]
    theirs += [
        "functions/credentials.env",
        "functions/apps/x.csv",
        "shared/key.pem",
        "shared/id_rsa",
    ]
    theirs += ["tests/conftest.py", "shared/cli/demo/data.csv", "shared/embedded/fake.py"]
    assert "shared/web/app.py" in ours
    assert [path for path in ours if left_out(path)] == []
    assert [path for path in theirs if not left_out(path)] == []


def _glob(pattern: str) -> re.Pattern[str]:
    """`**` goes through folders, `*` stays in one; `@(a|b)` is one of them, `!(a|b)` none."""
    text = re.escape(pattern).replace(r"\*\*/", "(?:.*/)?").replace(r"\*\*", ".*")
    text = (
        text.replace(r"\*", "[^/]*").replace(r"\(", "(?:").replace(r"\)", ")").replace(r"\|", "|")
    )
    text = re.sub(r"!\(\?:([^)]*)\)", r"(?!(?:\1)\\Z)[^/]*", text)
    return re.compile(text.replace("@(?:", "(?:"))
