"""The deployments let their functions call the drain, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DRAIN = "${self:service}-${sls:stage}-drain"
FUNCTION = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:" + DRAIN
TEMPLATE = "shared/cli/template/serverless.yml.template"


@pytest.mark.parametrize(
    ("service", "roles"), [("serverless.yml", "infra/aws/roles.yml"), (TEMPLATE, TEMPLATE)]
)
def test_each_role_may_invoke_exactly_the_function_that_is_called(service: str, roles: str) -> None:
    called = (ROOT / service).read_text(encoding="utf-8")
    by_role = re.split(
        r"^ +(\w+Role):\n", (ROOT / roles).read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    allowed = {
        role: re.findall(r"Action: lambda:\w+\n\s+Resource: !Sub (\S+)\n", body)
        for role, body in zip(by_role[1::2], by_role[2::2], strict=True)
    }

    assert f"lambda:{DRAIN}" in called
    allowed_any = {role: functions for role, functions in allowed.items() if functions}
    assert allowed_any == {"ApiRole": [FUNCTION], "DrainRole": [FUNCTION]}
