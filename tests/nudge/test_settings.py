"""TIDEGATE_NUDGE and what it needs, from the environment."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from shared.config.settings import Settings
from shared.connect import connect
from shared.errors import ConfigurationError
from shared.nudge.choose import open_sender

STORE = {"UPSTASH_REDIS_REST_URL": "https://db.example", "UPSTASH_REDIS_REST_TOKEN": "t"}
SECRET = {"CRON_SECRET": "0123456789abcdef"}
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:shop-drain"
VERCEL = {
    "VERCEL": "1",
    "VERCEL_URL": "shop-abc123.vercel.app",
    "VERCEL_PROJECT_PRODUCTION_URL": "shop.example",
}


def settings(*variables: Mapping[str, str]) -> Settings:
    env = dict(STORE)
    for some in variables:
        env |= some
    return Settings.from_env(env)


@pytest.mark.parametrize("value", ["", "off", " off "])
@pytest.mark.parametrize("platform", [{}, VERCEL, {"AWS_LAMBDA_FUNCTION_NAME": "x"}])
def test_nothing_is_nudged_unless_it_is_asked_for(value: str, platform: dict[str, str]) -> None:
    found = settings({"TIDEGATE_NUDGE": value}, SECRET, platform)

    assert (found.nudge.function, found.nudge.url, found.nudge.window) == (None, None, 0.25)
    assert open_sender(found) is None


@pytest.mark.parametrize("name", ["shop-drain", ARN, f"{ARN}:live", "shop-drain:$LATEST"])
def test_a_function_has_a_name_or_an_arn(name: str) -> None:
    assert settings({"TIDEGATE_NUDGE": f"lambda:{name}"}).nudge.function == name


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"TIDEGATE_URL": "https://a.example/"}, "https://a.example"),
        ({"TIDEGATE_URL": "https://a.example/tidegate"}, "https://a.example/tidegate"),
        ({"TIDEGATE_URL": "http://127.0.0.1:8787"}, "http://127.0.0.1:8787"),
        (VERCEL, "https://shop-abc123.vercel.app"),
        (VERCEL | {"VERCEL_ENV": "preview"}, "https://shop-abc123.vercel.app"),
        (VERCEL | {"VERCEL_ENV": "production"}, "https://shop.example"),
        (VERCEL | {"TIDEGATE_URL": "https://a.example"}, "https://a.example"),
    ],
)
def test_the_own_url_is_configured_or_vercels(variables: dict[str, str], url: str) -> None:
    assert settings({"TIDEGATE_NUDGE": "url"}, SECRET, variables).nudge.url == url


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"TIDEGATE_NUDGE": "on"}, "lambda:FUNCTION"),
        ({"TIDEGATE_NUDGE": "lambda"}, "lambda:FUNCTION"),
        ({"TIDEGATE_NUDGE": "lambda:"}, "lambda:FUNCTION"),
        ({"TIDEGATE_NUDGE": "lambda:a b"}, "lambda:FUNCTION"),
        ({"TIDEGATE_NUDGE": "url:https://a.example"}, "lambda:FUNCTION"),
        ({"TIDEGATE_NUDGE": "url"}, "CRON_SECRET"),
        ({"TIDEGATE_NUDGE": "url", **SECRET}, "TIDEGATE_URL"),
        ({"TIDEGATE_NUDGE": "url", **SECRET, "TIDEGATE_URL": "http://a.example"}, "https://"),
        ({"TIDEGATE_NUDGE": "url", **SECRET, "TIDEGATE_URL": "https://u:p@a.example"}, "https://"),
        ({"TIDEGATE_NUDGE": "url", **SECRET, "VERCEL_URL": "evil.example/@x"}, "TIDEGATE_URL"),
        ({"TIDEGATE_NUDGE_WINDOW": "0"}, "from 0.1 to 10"),
        ({"TIDEGATE_NUDGE_WINDOW": "11"}, "from 0.1 to 10"),
    ],
)
def test_what_can_not_work_says_what_to_set(variables: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        settings(variables)


async def test_a_store_of_these_settings_nudges_and_closes() -> None:
    store = connect(settings({"TIDEGATE_NUDGE": "lambda:drain", "TIDEGATE_NUDGE_WINDOW": "2"}))

    assert store.nudges is not None
    assert store.nudges.window_ms == 2000
    await store.close()
