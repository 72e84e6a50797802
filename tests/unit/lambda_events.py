"""Events as AWS sends them, after the examples of its developer guide (https://docs.aws.amazon.com/lambda/latest/dg/)."""

import base64


def http_api(method, path, body=None, stage="$default", **headers):
    """API Gateway's HTTP APIs, form 2.0; function URLs have the same."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path if stage == "$default" else f"/{stage}{path}",
        "rawQueryString": "",
        "headers": {"x-forwarded-for": "192.0.2.1", "content-type": "application/json", **headers},
        "requestContext": {"stage": stage, "http": {"method": method, "path": path, "protocol": "HTTP/1.1"}},
        "isBase64Encoded": False,
        **({} if body is None else {"body": body}),
    }


def rest_api(method, path, body=None, **headers):
    """API Gateway's REST APIs, form 1.0, with a header as it was spelled."""
    return {
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": {"X-Forwarded-For": "192.0.2.1", "Content-Type": "application/json", **headers},
        "multiValueHeaders": {"Content-Type": ["application/json"]},
        "queryStringParameters": None,
        "requestContext": {"stage": "prod", "path": f"/prod{path}", "httpMethod": method},
        "body": body,
        "isBase64Encoded": False,
    }


def load_balancer(method, path, body="", many=False):
    """An Application Load Balancer; with `many` its target group has multi-value headers on."""
    headers = {"content-type": "application/json", "x-forwarded-for": "192.0.2.1"}
    event = {
        "requestContext": {"elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/t/1"}},
        "httpMethod": method,
        "path": path,
        "body": base64.b64encode(body.encode()).decode(),
        "isBase64Encoded": True,
    }
    named = {"multiValueHeaders": {name: [value] for name, value in headers.items()}} if many else {"headers": headers}
    return event | named


def sqs(*bodies, groups=()):
    """A batch of SQS; with groups, of a FIFO queue."""
    records = [
        {
            "messageId": f"00000000-0000-4000-8000-{number:012d}",
            "receiptHandle": "AQEB",
            "body": body,
            "attributes": {"ApproximateReceiveCount": "1", **({"MessageGroupId": groups[number]} if groups else {})},
            "messageAttributes": {},
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:eu-west-1:1:asked",
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def kinesis(*bodies):
    """A batch of a Kinesis stream."""
    records = [
        {
            "kinesis": {"partitionKey": "1", "sequenceNumber": f"{49545 + number:056d}", "data": _packed(body)},
            "eventSource": "aws:kinesis",
            "eventID": f"shardId-000000000006:{49545 + number:056d}",
            "eventSourceARN": "arn:aws:kinesis:eu-west-1:1:stream/asked",
        }
        for number, body in enumerate(bodies)
    ]
    return {"Records": records}


def _packed(body):
    return base64.b64encode(body.encode()).decode()
