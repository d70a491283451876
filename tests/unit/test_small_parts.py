"""Budget, durations, keys, meter, settings: small parts with exact numbers."""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.config.settings import Settings
from shared.config.variables import VARIABLES, unknown_variables
from shared.drain.budget import Budget
from shared.drain.durations import BUCKETS, LEARNED, bucket_of, edge_of, mean, quantile
from shared.errors import ConfigurationError
from shared.store import keys
from shared.store.meter import Meter
from shared.testing import FakeClock

SECRET = "s" * 32
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("seconds", "reserve"), [(0.5, 0.25), (4, 0.5), (10, 1), (60, 3), (900, 3)]
)
def test_a_budget_keeps_a_reserve_that_handlers_never_get(seconds: float, reserve: float) -> None:
    clock = FakeClock()
    budget = Budget.of(seconds, clock=clock)
    clock.advance(seconds / 4)

    assert budget.reserve == pytest.approx(reserve)
    assert budget.left() == pytest.approx(seconds * 3 / 4)
    assert budget.handler_time() == pytest.approx(max(0, seconds * 3 / 4 - reserve))
    assert budget.used() == pytest.approx(seconds / 4)


@pytest.mark.parametrize(("requested", "reserve"), [(0.2, 0.2), (0.0, 0.0), (9.0, 5.0)])
def test_a_requested_reserve_is_at_most_half_of_the_budget(
    requested: float, reserve: float
) -> None:
    assert Budget.of(10, clock=FakeClock(), reserve=requested).reserve == reserve


def test_a_budget_that_is_over_is_over() -> None:
    clock = FakeClock()
    budget = Budget.of(10, clock=clock)
    clock.advance(11)

    assert (budget.left(), budget.handler_time()) == (0, 0)
    assert not budget.allows(0.001)
    assert budget.ever_allows(9)
    assert not budget.ever_allows(9.1)


def test_a_lambda_budget_is_what_lambda_says_is_left() -> None:
    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 12_345

    assert Budget.from_lambda(Context(), clock=FakeClock()).left() == pytest.approx(12.345)


@given(st.floats(0, 10_000))
def test_a_duration_lies_below_the_edge_of_its_bucket(seconds: float) -> None:
    bucket = bucket_of(seconds)

    assert 1 <= bucket <= BUCKETS
    assert seconds <= edge_of(bucket) * 1.000001 or bucket == BUCKETS
    assert bucket == 1 or seconds * 1.000001 >= edge_of(bucket - 1)


@given(st.lists(st.integers(0, 50), min_size=BUCKETS, max_size=BUCKETS), st.floats(0.01, 1))
def test_so_large_a_share_of_jobs_ended_within_the_quantile(
    counts: list[int], share: float
) -> None:
    edge = quantile(counts, share)

    if sum(counts) < LEARNED:
        assert edge is None
        return
    assert edge is not None
    within = sum(n for i, n in enumerate(counts, 1) if edge_of(i) <= edge)
    assert within >= sum(counts) * share * 0.999999


@pytest.mark.parametrize(("share", "bucket"), [(0.01, 2), (0.5, 2), (0.51, 4), (0.75, 4), (1.0, 7)])
def test_a_quantile_is_the_edge_of_the_bucket_that_reaches_the_share(
    share: float, bucket: int
) -> None:
    assert quantile([0, 100, 0, 50, 0, 0, 50], share) == edge_of(bucket)


def test_nothing_observed_has_no_mean_and_no_quantile() -> None:
    assert mean([]) is None
    assert mean([0] * BUCKETS) is None
    assert quantile([], 0.95) is None


def test_a_mean_takes_the_middle_of_each_bucket_the_first_from_zero_on() -> None:
    assert mean([4]) == pytest.approx(edge_of(1) / 2)
    assert mean([0, 4]) == pytest.approx((edge_of(1) + edge_of(2)) / 2)
    assert mean([3, 0, 1]) == pytest.approx(
        (3 * edge_of(1) / 2 + (edge_of(2) + edge_of(3)) / 2) / 4
    )


def test_the_keys_of_a_queue_share_one_hash_tag() -> None:
    vector = keys.vector("tidegate", "mail")

    assert len(vector) == len(set(vector)) == len(keys.PARTS) + 2
    assert all(key.startswith("{tidegate:mail}:") for key in vector[:-2])
    assert vector[-2:] == ("tidegate:agenda", "tidegate:events")
    assert set(keys.CLAIMABLE) < set(keys.WORK) < set(keys.PARTS)


def test_each_further_shard_is_one_more_key_of_the_same_hash_tag() -> None:
    one, three = keys.vector("tidegate", "mail"), keys.vector("tidegate", "mail", 3)

    assert three[: len(one)] == one
    assert three[len(one) :] == ("{tidegate:mail}:records:1", "{tidegate:mail}:records:2")


def test_a_meter_counts_since_a_snapshot() -> None:
    meter = Meter()
    meter.add("turn", 3)
    earlier = meter.snapshot()
    meter.add("turn", 2)
    meter.add("agenda", 1)
    meter.requests += 2

    since = meter.since(earlier)

    assert (since.commands, since.requests) == (3, 2)
    assert since.by_verb == {"turn": 2, "agenda": 1}


STORE_PAIRS = (
    ("UPSTASH_REDIS_REST_URL", "UPSTASH_REDIS_REST_TOKEN"),
    ("KV_REST_API_URL", "KV_REST_API_TOKEN"),
    ("TIDEGATE_CACHE_REST_URL", "TIDEGATE_CACHE_REST_TOKEN"),
)
HALF_A_STORE: list[tuple[dict[str, str], str]] = [
    case
    for url, token in STORE_PAIRS
    for nothing in ("", " \n")
    for case in (
        ({url: "https://db.example"}, f"{token} is not set, but {url} is; set both"),
        ({token: SECRET}, f"{url} is not set, but {token} is; set both"),
        (
            {url: "https://db.example", token: nothing},
            f"{token} is not set, but {url} is; set both",
        ),
        ({url: nothing, token: SECRET}, f"{url} is not set, but {token} is; set both"),
        ({url: nothing}, f"{url}: set, but empty"),
        ({token: nothing}, f"{token}: set, but empty"),
        ({url: nothing, token: nothing}, f"{url} and {token}: set, but empty"),
        ({url: "db.example", token: SECRET}, f"{url} must be https://host"),
    )
]


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        ({"AWS_LAMBDA_FUNCTION_NAME": "f"}, "embedded store is for a developer's machine"),
        ({"VERCEL": "1"}, "embedded store is for a developer's machine"),
        *HALF_A_STORE,
        (
            {"UPSTASH_REDIS_REST_URL": "http://x", "UPSTASH_REDIS_REST_TOKEN": "t"},
            "must be https://host",
        ),
        *[
            ({"UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": "t"}, "must be https://")
            for url in (
                *("http://localhost@evil.example", "http://127.0.0.1:80@evil.example"),
                *("http://localhost.evil.example", "http://127.0.0.1.evil.example"),
                *("http://[::1]x", "http://[::1]@evil.example", "http://localhost:80:81"),
                *("http://localhost\\@evil.example", "https://user:word@db.upstash.io", "https://"),
                *("redis://localhost", "localhost", "http://0.0.0.0"),
            )
        ],
        (
            {"TIDEGATE_API_TOKENS": f"viewer:{SECRET},admin:{SECRET}"},
            "one token has the roles viewer and admin",
        ),
        ({"TIDEGATE_PREFIX": "a:b"}, "TIDEGATE_PREFIX"),
        ({"TIDEGATE_API_TOKENS": f"root:{SECRET}"}, "roles are producer, viewer"),
        ({"TIDEGATE_API_TOKENS": "admin:short"}, "fewer than 16 characters"),
        ({"CRON_SECRET": "short"}, "CRON_SECRET has fewer than 16"),
        ({"CRON_SECRET": f"{SECRET}\nX-Other: 1"}, "CRON_SECRET contains a space, a line break"),
        ({"CRON_SECRET": f"{SECRET}é"}, "CRON_SECRET contains .* outside of ASCII"),
        (
            {"TIDEGATE_API_TOKENS": f"admin:{SECRET}\r\nviewer:{SECRET}"},
            "TIDEGATE_API_TOKENS: the admin token contains",
        ),
        (
            {
                "UPSTASH_REDIS_REST_URL": "https://x",
                "UPSTASH_REDIS_REST_TOKEN": f"{SECRET}\r{SECRET}",
            },
            "UPSTASH_REDIS_REST_TOKEN contains",
        ),
        (
            {"KV_REST_API_URL": "https://x\n.example", "KV_REST_API_TOKEN": SECRET},
            "KV_REST_API_URL contains",
        ),
        ({"TIDEGATE_VOLATILE": "maybe"}, "write 1/true/yes/on or 0/false/no/off"),
        *(
            (
                {"UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": token},
                f"{name} has quotes around its value",
            )
            for url, token, name in (
                ('"https://x"', SECRET, "UPSTASH_REDIS_REST_URL"),
                ("'https://x'", SECRET, "UPSTASH_REDIS_REST_URL"),
                ("https://x", f'"{SECRET}"', "UPSTASH_REDIS_REST_TOKEN"),
            )
        ),
        ({"TIDEGATE_BATCH": "0"}, "write a number from 1"),
        ({"TIDEGATE_MAX_DURATION": "nan"}, "write a number from 1"),
        ({"TIDEGATE_SWEEP_SECONDS": "x"}, "write a number from 0"),
    ],
)
def test_an_environment_that_can_not_work_is_refused(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        Settings.from_env(env)


@pytest.mark.parametrize(
    ("word", "is_on"),
    [
        *((word, True) for word in ("1", "true", "yes", "on", "ON", " True ")),
        *((word, False) for word in ("0", "false", "no", "off", "Off", "")),
    ],
)
def test_a_switch_takes_the_usual_words(word: str, is_on: bool) -> None:
    assert Settings.from_env({"TIDEGATE_EVENTS": word}).events is is_on


@pytest.mark.parametrize(
    "url",
    [
        *("https://db.upstash.io", "https://db.upstash.io:443/x", "http://localhost:8079"),
        *("http://127.0.0.1:8079", "http://[::1]:8079", "http://LOCALHOST", "https://10.0.0.1"),
    ],
)
def test_a_store_is_named_by_https_or_stands_on_this_machine(url: str) -> None:
    env = {"UPSTASH_REDIS_REST_URL": url, "UPSTASH_REDIS_REST_TOKEN": "t"}

    assert Settings.from_env(env).redis_url == url


@pytest.mark.parametrize("around", ["\n", "\r\n", " ", "\t\n"])
def test_white_space_around_a_secret_is_no_part_of_it(around: str) -> None:
    settings = Settings.from_env(
        {
            "UPSTASH_REDIS_REST_URL": f"https://db.example{around}",
            "UPSTASH_REDIS_REST_TOKEN": f"{SECRET}{around}",
            "CRON_SECRET": f"{around}{SECRET}{around}",
            "TIDEGATE_API_TOKENS": f"admin:{SECRET}{around}",
        }
    )

    assert (settings.redis_url, settings.redis_token) == ("https://db.example", SECRET)
    assert (settings.cron_secret, dict(settings.api_tokens)) == (SECRET, {SECRET: "admin"})


def test_a_token_goes_to_the_url_of_its_own_pair_only() -> None:
    env = {
        "UPSTASH_REDIS_REST_URL": "https://db.example",
        "KV_REST_API_URL": "https://kv.example",
        "KV_REST_API_TOKEN": SECRET,
    }

    with pytest.raises(ConfigurationError, match="UPSTASH_REDIS_REST_TOKEN is not"):
        Settings.from_env(env)
    settings = Settings.from_env(env | {"UPSTASH_REDIS_REST_URL": ""})
    assert (settings.redis_url, settings.redis_token) == ("https://kv.example", SECRET)


@pytest.mark.parametrize(
    ("env", "found"),
    [
        ({"TIDEGATE_BACTH": "9"}, {"TIDEGATE_BACTH": "TIDEGATE_BATCH"}),
        ({"TIDEGATE_APP": "x:app"}, {"TIDEGATE_APP": "TIDEGATE_APPS"}),
        ({"TIDEGATE_TOKENS": "x"}, {"TIDEGATE_TOKENS": "TIDEGATE_API_TOKENS"}),
        ({"TIDEGATE_ZZZ": ""}, {"TIDEGATE_ZZZ": None}),
        ({"UPSTASH_REDIS_URL": "x"}, {"UPSTASH_REDIS_URL": "UPSTASH_REDIS_REST_URL"}),
        ({"UPSTASH_REDIS_URL": "x", "KV_REST_API_URL": "y"}, {}),
        ({"TIDEGATE_BATCH": "9", "TIDEGATEWAY": "x", "PATH": "/"}, {}),
    ],
)
def test_a_variable_that_nothing_reads_is_told_with_the_nearest_name(
    env: dict[str, str], found: dict[str, str | None]
) -> None:
    assert unknown_variables(env) == found


@pytest.mark.parametrize(
    ("url", "archive"),
    [
        ("postgres://u:p@host/db", True),
        (" postgresql://u:p@host/db?sslmode=require\n", True),
        ("postgresql+asyncpg://u:p@host/db", False),
        ("mysql://host/db", False),
        ("", False),
        (None, False),
    ],
)
def test_a_postgres_in_database_url_is_the_archive(url: str | None, *, archive: bool) -> None:
    settings = Settings.from_env({} if url is None else {"DATABASE_URL": url})

    assert settings.archive_url == (url.strip() if url and archive else None)
    assert "u:p" not in repr(settings)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://postgres:[S3cretPass99]@db.example.com:5432/postgres",
        "postgresql://postgres:S3cretPass99]x@db.example.com/postgres",
        "postgresql://postgres:[S3cretPass99@db.example.com/postgres",
        "postgresql://u:p℀S3cretPass99@db.example.com/postgres",
    ],
)
def test_a_database_url_that_cannot_be_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL can't be read") as caught:
        Settings.from_env({"DATABASE_URL": url})

    assert "S3cret" not in "".join(traceback.format_exception(caught.value))


def test_every_variable_that_is_described_is_known() -> None:
    page = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")

    assert set(re.findall(r"^\| `(TIDEGATE_[A-Z_]+)`", page, re.MULTILINE)) == VARIABLES


def test_settings_come_from_either_name_and_hide_their_secrets() -> None:
    settings = Settings.from_env(
        {
            "KV_REST_API_URL": "https://kv.example",
            "KV_REST_API_TOKEN": SECRET,
            "VERCEL": "1",
            "CRON_SECRET": "c" * 32,
            "TIDEGATE_API_TOKENS": f"admin:{'a' * 32}, viewer:{'v' * 32}",
            "TIDEGATE_DATA": "/somewhere",
        }
    )

    assert (settings.redis_url, settings.redis_token) == ("https://kv.example", SECRET)
    assert (settings.platform, settings.data_dir) == ("vercel", Path("/somewhere"))
    assert dict(settings.api_tokens) == {"a" * 32: "admin", "v" * 32: "viewer"}
    assert not any(secret * 32 in repr(settings) for secret in "scav")
