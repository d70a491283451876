"""The expected content of the packaged CloudFormation template: every resource, permission,
schedule and variable, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .checks import check

STAGE = "rehearsal"
RESOURCES = {
    "ApiErrorsAlarm": "AWS::CloudWatch::Alarm",
    "ApiLambdaFunction": "AWS::Lambda::Function",
    "ApiLambdaPermissionHttpApi": "AWS::Lambda::Permission",
    "ApiLogGroup": "AWS::Logs::LogGroup",
    "ApiRole": "AWS::IAM::Role",
    "AlarmTopic": "AWS::SNS::Topic",
    "DrainErrorsAlarm": "AWS::CloudWatch::Alarm",
    "DrainEventsRuleSchedule1": "AWS::Events::Rule",
    "DrainFailures": "AWS::SQS::Queue",
    "DrainFailuresAlarm": "AWS::CloudWatch::Alarm",
    "DrainLambdaEvConf": "AWS::Lambda::EventInvokeConfig",
    "DrainLambdaFunction": "AWS::Lambda::Function",
    "DrainLambdaPermissionEventsRuleSchedule1": "AWS::Lambda::Permission",
    "DrainLogGroup": "AWS::Logs::LogGroup",
    "DrainRole": "AWS::IAM::Role",
    "DrainThrottlesAlarm": "AWS::CloudWatch::Alarm",
    "HttpApi": "AWS::ApiGatewayV2::Api",
    "HttpApiIntegrationApi": "AWS::ApiGatewayV2::Integration",
    "HttpApiLogGroup": "AWS::Logs::LogGroup",
    "HttpApiRouteDefault": "AWS::ApiGatewayV2::Route",
    "HttpApiStage": "AWS::ApiGatewayV2::Stage",
    "MaintainErrorsAlarm": "AWS::CloudWatch::Alarm",
    "MaintainEventsRuleSchedule1": "AWS::Events::Rule",
    "MaintainLambdaEvConf": "AWS::Lambda::EventInvokeConfig",
    "MaintainLambdaFunction": "AWS::Lambda::Function",
    "MaintainLambdaPermissionEventsRuleSchedule1": "AWS::Lambda::Permission",
    "MaintainLogGroup": "AWS::Logs::LogGroup",
    "MaintainRole": "AWS::IAM::Role",
    "MissedTicksAlarm": "AWS::CloudWatch::Alarm",
    "ServerlessDeploymentBucket": "AWS::S3::Bucket",
    "ServerlessDeploymentBucketPolicy": "AWS::S3::BucketPolicy",
}
_SSM = f"/tidegate/{STAGE}"
_STORE = (
    f"UPSTASH_REDIS_REST_URL=ssm:{_SSM}/redis-url,UPSTASH_REDIS_REST_TOKEN=ssm:{_SSM}/redis-token"
)
_DOORS = f"TIDEGATE_API_TOKENS=ssm:{_SSM}/api-tokens,CRON_SECRET=ssm:{_SSM}/cron-secret"
_PARAMETER = f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter{_SSM}"
_STORE_PARAMETERS = [f"{_PARAMETER}/redis-url", f"{_PARAMETER}/redis-token"]
_DATABASE = f"{_PARAMETER}/database-url"
_DOOR_PARAMETERS = [f"{_PARAMETER}/api-tokens", f"{_PARAMETER}/cron-secret"]
_DRAIN = (
    "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}"
    f":function:tidegate-{STAGE}-drain"
)
ROLES: Mapping[str, dict[str, list[Any]]] = {
    "ApiRole": {
        "logs:CreateLogStream": [["ApiLogGroup", "Arn"]],
        "logs:PutLogEvents": [["ApiLogGroup", "Arn"]],
        "ssm:GetParameters": [*_STORE_PARAMETERS, *_DOOR_PARAMETERS, _DATABASE],
        "lambda:InvokeFunction": [_DRAIN],
    },
    "DrainRole": {
        "logs:CreateLogStream": [["DrainLogGroup", "Arn"]],
        "logs:PutLogEvents": [["DrainLogGroup", "Arn"]],
        "ssm:GetParameters": [*_STORE_PARAMETERS, _DATABASE],
        "sqs:SendMessage": [["DrainFailures", "Arn"]],
        "lambda:InvokeFunction": [_DRAIN],
    },
    "MaintainRole": {
        "logs:CreateLogStream": [["MaintainLogGroup", "Arn"]],
        "logs:PutLogEvents": [["MaintainLogGroup", "Arn"]],
        "ssm:GetParameters": [*_STORE_PARAMETERS, _DATABASE],
    },
}
"""Role -> action -> the resources it is allowed on."""
FUNCTIONS: Mapping[str, dict[str, Any]] = {
    "ApiLambdaFunction": {
        "Handler": "functions.api.handler",
        "Role": {"Fn::GetAtt": ["ApiRole", "Arn"]},
        "FunctionName": f"tidegate-{STAGE}-api",
        "Timeout": 29,
    },
    "DrainLambdaFunction": {
        "Handler": "functions.drain.handler",
        "Role": {"Fn::GetAtt": ["DrainRole", "Arn"]},
        "FunctionName": f"tidegate-{STAGE}-drain",
        "Timeout": 300,
        "ReservedConcurrentExecutions": 10,
    },
    "MaintainLambdaFunction": {
        "Handler": "functions.maintain.handler",
        "Role": {"Fn::GetAtt": ["MaintainRole", "Arn"]},
        "FunctionName": f"tidegate-{STAGE}-maintain",
        "Timeout": 240,
    },
}
VARIABLES = {
    "ApiLambdaFunction": f"{_STORE},{_DOORS}",
    "DrainLambdaFunction": _STORE,
    "MaintainLambdaFunction": _STORE,
}
ALARMS = {
    "ApiErrorsAlarm": ("AWS/Lambda", "Errors", "notBreaching"),
    "DrainErrorsAlarm": ("AWS/Lambda", "Errors", "notBreaching"),
    "DrainFailuresAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "notBreaching"),
    "DrainThrottlesAlarm": ("AWS/Lambda", "Throttles", "notBreaching"),
    "MaintainErrorsAlarm": ("AWS/Lambda", "Errors", "notBreaching"),
    "MissedTicksAlarm": ("AWS/Lambda", "Invocations", "breaching"),
}


def check_template(template: Mapping[str, Any]) -> None:
    """Raises CheckFailed with the first difference."""
    types = {name: resource["Type"] for name, resource in template["Resources"].items()}
    difference = sorted(set(types.items()) ^ set(RESOURCES.items()))
    check(not difference, f"resources that are too many or missing: {difference}")
    resources = {name: body.get("Properties", {}) for name, body in template["Resources"].items()}
    _check_functions(resources)
    for name, expected in ROLES.items():
        _check_role(name, resources[name], expected)
    _check_schedule(resources)
    _check_http(resources)
    _check_watching(resources)


def _check_functions(resources: Mapping[str, Any]) -> None:
    for name, expected in FUNCTIONS.items():
        function = resources[name]
        common = {"Runtime": "python3.13", "MemorySize": 512, "Architectures": ["x86_64"]}
        _same(name, function, {**common, **expected})
        variables = {
            "TIDEGATE_PREFIX": f"tidegate-{STAGE}",
            "TIDEGATE_APPS": "functions.apps:APPS",
            "TIDEGATE_LOG_LEVEL": "INFO",
            "TIDEGATE_NUDGE": f"lambda:tidegate-{STAGE}-drain",
            "TIDEGATE_SECRETS": VARIABLES[name],
        }
        _same(name, function, {"Environment": {"Variables": variables}})
        check(
            function.get("ReservedConcurrentExecutions")
            == expected.get("ReservedConcurrentExecutions"),
            f"{name} reserves {function.get('ReservedConcurrentExecutions')}",
        )
    for log in ("ApiLogGroup", "DrainLogGroup", "HttpApiLogGroup", "MaintainLogGroup"):
        _same(log, resources[log], {"RetentionInDays": 14})


def _check_role(name: str, role: Mapping[str, Any], expected: Mapping[str, list[Any]]) -> None:
    allowed: dict[str, list[Any]] = {}
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, resource = statement["Action"], statement["Resource"]
            check(statement["Effect"] == "Allow", f"{name} has {statement}")
            for action in [actions] if isinstance(actions, str) else actions:
                places = resource if isinstance(resource, list) else [resource]
                allowed[action] = [next(iter(place.values())) for place in places]
    check("*" not in str(allowed), f"{name} has a wildcard: {allowed}")
    check(allowed == expected, f"{name} allows {allowed}, and should {expected}")


def _check_schedule(resources: Mapping[str, Any]) -> None:
    rule = resources["DrainEventsRuleSchedule1"]
    _same("the rule", rule, {"ScheduleExpression": "rate(1 minute)", "State": "ENABLED"})
    targets = [target["Arn"]["Fn::GetAtt"] for target in rule["Targets"]]
    check(targets == [["DrainLambdaFunction", "Arn"]], f"the rule calls {targets}")
    upkeep = resources["MaintainEventsRuleSchedule1"]
    _same(
        "the archive's rule", upkeep, {"ScheduleExpression": "rate(5 minutes)", "State": "DISABLED"}
    )
    permission = resources["DrainLambdaPermissionEventsRuleSchedule1"]
    source = {"Fn::GetAtt": ["DrainEventsRuleSchedule1", "Arn"]}
    _same("the rule's permission", permission, {"SourceArn": source})
    failures = {"OnFailure": {"Destination": {"Fn::GetAtt": ["DrainFailures", "Arn"]}}}
    policy: dict[str, Any] = {"MaximumEventAgeInSeconds": 60, "MaximumRetryAttempts": 0}
    policy["DestinationConfig"] = failures
    _same("the policy for failed ticks", resources["DrainLambdaEvConf"], policy)


def _check_http(resources: Mapping[str, Any]) -> None:
    _same("the route", resources["HttpApiRouteDefault"], {"RouteKey": "$default"})
    integration = {"PayloadFormatVersion": "2.0", "IntegrationType": "AWS_PROXY"}
    _same("the integration", resources["HttpApiIntegrationApi"], integration)
    permission = resources["ApiLambdaPermissionHttpApi"]
    invoke = {"Action": "lambda:InvokeFunction"}
    _same("the HTTP API's permission", permission, invoke)
    stage = resources["HttpApiStage"]
    throttle = {"ThrottlingRateLimit": 100, "ThrottlingBurstLimit": 200}
    limits = stage.get("DefaultRouteSettings", {})
    _same("the throttle", limits, throttle)
    log = str(stage.get("AccessLogSettings", {}).get("DestinationArn"))
    check("HttpApiLogGroup" in log, f"the access log goes to {log}")
    check("HttpApi" in str(permission["SourceArn"]), f"any caller may invoke the api: {permission}")


def _check_watching(resources: Mapping[str, Any]) -> None:
    failures = {"MessageRetentionPeriod": 1209600, "SqsManagedSseEnabled": True}
    _same("DrainFailures", resources["DrainFailures"], failures)
    for name, (namespace, metric, missing) in ALARMS.items():
        watched = {"Namespace": namespace, "MetricName": metric, "TreatMissingData": missing}
        expected: dict[str, Any] = {**watched, "AlarmActions": [{"Ref": "AlarmTopic"}]}
        _same(name, resources[name], expected)


def _same(name: str, actual: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for key, value in expected.items():
        check(actual.get(key) == value, f"{name}: {key} is {actual.get(key)}, should be {value}")
