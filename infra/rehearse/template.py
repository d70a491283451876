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
    "AlarmTopic": "AWS::SNS::Topic",
    "DrainErrorsAlarm": "AWS::CloudWatch::Alarm",
    "DrainEventsRuleSchedule1": "AWS::Events::Rule",
    "DrainFailures": "AWS::SQS::Queue",
    "DrainFailuresAlarm": "AWS::CloudWatch::Alarm",
    "DrainLambdaEvConf": "AWS::Lambda::EventInvokeConfig",
    "DrainLambdaFunction": "AWS::Lambda::Function",
    "DrainLambdaPermissionEventsRuleSchedule1": "AWS::Lambda::Permission",
    "DrainLogGroup": "AWS::Logs::LogGroup",
    "DrainThrottlesAlarm": "AWS::CloudWatch::Alarm",
    "HttpApi": "AWS::ApiGatewayV2::Api",
    "HttpApiIntegrationApi": "AWS::ApiGatewayV2::Integration",
    "HttpApiRouteDefault": "AWS::ApiGatewayV2::Route",
    "HttpApiStage": "AWS::ApiGatewayV2::Stage",
    "IamRoleLambdaExecution": "AWS::IAM::Role",
    "MissedTicksAlarm": "AWS::CloudWatch::Alarm",
    "ServerlessDeploymentBucket": "AWS::S3::Bucket",
    "ServerlessDeploymentBucketPolicy": "AWS::S3::BucketPolicy",
}
_SSM = f"/tidegate/{STAGE}"
_STORE = (
    f"UPSTASH_REDIS_REST_URL=ssm:{_SSM}/redis-url,UPSTASH_REDIS_REST_TOKEN=ssm:{_SSM}/redis-token"
)
_DOORS = f"TIDEGATE_API_TOKENS=ssm:{_SSM}/api-tokens,CRON_SECRET=ssm:{_SSM}/cron-secret"
_LOGS = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group"
ROLE = {
    "logs:CreateLogStream": f"{_LOGS}:/aws/lambda/tidegate-{STAGE}*:*",
    "logs:CreateLogGroup": f"{_LOGS}:/aws/lambda/tidegate-{STAGE}*:*",
    "logs:TagResource": f"{_LOGS}:/aws/lambda/tidegate-{STAGE}*:*",
    "logs:PutLogEvents": f"{_LOGS}:/aws/lambda/tidegate-{STAGE}*:*:*",
    "ssm:GetParameters": "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}"
    f":parameter{_SSM}/*",
    "sqs:SendMessage": ["DrainFailures", "Arn"],
}
"""Action -> the one resource it is allowed on."""
FUNCTIONS: Mapping[str, dict[str, Any]] = {
    "ApiLambdaFunction": {
        "Handler": "functions.api.handler",
        "FunctionName": f"tidegate-{STAGE}-api",
        "Timeout": 29,
    },
    "DrainLambdaFunction": {
        "Handler": "functions.drain.handler",
        "FunctionName": f"tidegate-{STAGE}-drain",
        "Timeout": 300,
        "ReservedConcurrentExecutions": 5,
    },
}
VARIABLES = {"ApiLambdaFunction": f"{_STORE},{_DOORS}", "DrainLambdaFunction": _STORE}
ALARMS = {
    "ApiErrorsAlarm": ("AWS/Lambda", "Errors", "notBreaching"),
    "DrainErrorsAlarm": ("AWS/Lambda", "Errors", "notBreaching"),
    "DrainFailuresAlarm": ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "notBreaching"),
    "DrainThrottlesAlarm": ("AWS/Lambda", "Throttles", "notBreaching"),
    "MissedTicksAlarm": ("AWS/Lambda", "Invocations", "breaching"),
}


def check_template(template: Mapping[str, Any]) -> None:
    """Raises Failed with the first difference."""
    types = {name: resource["Type"] for name, resource in template["Resources"].items()}
    difference = sorted(set(types.items()) ^ set(RESOURCES.items()))
    check(not difference, f"resources that are too many or missing: {difference}")
    resources = {name: body.get("Properties", {}) for name, body in template["Resources"].items()}
    _check_functions(resources)
    _check_role(resources["IamRoleLambdaExecution"])
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
            "TIDEGATE_LOG_LEVEL": "INFO",
            "TIDEGATE_SECRETS": VARIABLES[name],
        }
        _same(name, function, {"Environment": {"Variables": variables}})
        check(
            function.get("ReservedConcurrentExecutions")
            == expected.get("ReservedConcurrentExecutions"),
            f"{name} reserves {function.get('ReservedConcurrentExecutions')}",
        )
    for log in ("ApiLogGroup", "DrainLogGroup"):
        _same(log, resources[log], {"RetentionInDays": 14})


def _check_role(role: Mapping[str, Any]) -> None:
    allowed: dict[str, Any] = {}
    for policy in role["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            actions, resource = statement["Action"], statement["Resource"]
            check(statement["Effect"] == "Allow", f"the role has {statement}")
            for action in [actions] if isinstance(actions, str) else actions:
                places = resource if isinstance(resource, list) else [resource]
                check(len(places) == 1, f"{action} is allowed on {places}")
                allowed[action] = next(iter(places[0].values()))
    check(allowed == ROLE, f"the role allows {allowed}, and should {ROLE}")


def _check_schedule(resources: Mapping[str, Any]) -> None:
    rule = resources["DrainEventsRuleSchedule1"]
    _same("the rule", rule, {"ScheduleExpression": "rate(1 minute)", "State": "ENABLED"})
    targets = [target["Arn"]["Fn::GetAtt"] for target in rule["Targets"]]
    check(targets == [["DrainLambdaFunction", "Arn"]], f"the rule calls {targets}")
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
