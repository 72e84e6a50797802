"""The prediction log as objects of a bucket: signed as AWS wants it, stored before the answer, segments like any other."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.log.objects import ObjectLog
from serving.log.s3 import Bucket, Credentials, credentials, sign
from serving.log.segment import Cipher, groups
from serving.log.writer import Feedback

NAMES = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S"]), min_size=1, max_size=30)
KEYS = st.text("abcXYZ019+/=", min_size=1, max_size=40)
ENVIRONMENT = {"AWS_REGION": "eu-west-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}


@settings(max_examples=200, deadline=None)
@given(NAMES, st.binary(max_size=50), KEYS, KEYS, st.sampled_from(["", "token+/="]), st.datetimes(datetime(2000, 1, 1)))
def test_a_request_is_signed_as_botocore_signs_it(name, content, key, secret, token, moment):
    from urllib.parse import quote

    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials as Known

    path, moment = f"/{quote(name, safe='/-_.~')}", moment.replace(tzinfo=UTC)
    ours = sign("PUT", "b.s3.eu-west-1.amazonaws.com", path, content, "eu-west-1", Credentials(key, secret, token), moment)
    request = AWSRequest("PUT", f"https://b.s3.eu-west-1.amazonaws.com{path}", data=content)
    request.context |= {"timestamp": f"{moment:%Y%m%dT%H%M%SZ}", "payload_signing_enabled": True}
    signer = S3SigV4Auth(Known(key, secret, token or None), "s3", "eu-west-1")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    request.headers["X-Amz-Content-SHA256"] = signer.payload(request)
    signed = signer.signature(signer.string_to_sign(request, signer.canonical_request(request)), request)
    assert ours["authorization"].endswith(f"Signature={signed}")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("s3://", "s3://: is no place for a log; write s3://BUCKET/PREFIX"),
        ("s3://bucket/a?b", "is no place for a log"),
        ("gs://bucket/a", "is no place for a log"),
    ],
)
def test_what_is_no_bucket(url, told):
    with pytest.raises(ValueError, match=told):
        Bucket(url, ENVIRONMENT)


def test_a_bucket_without_a_region_and_nobody_who_signs():
    with pytest.raises(ValueError, match="s3://b/p: set AWS_REGION to the bucket's region"):
        Bucket("s3://b/p", {})
    with pytest.raises(OSError, match="nobody signs for it"):
        credentials({})


def test_credentials_of_a_container_are_asked_again_before_they_end(httpserver_of):
    until = ["2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "2100-01-01T00:00:00Z"]
    asked = []

    def answer(headers):
        asked.append(headers["Authorization"])
        issued = {"AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t", "Expiration": until[len(asked) - 1]}
        return 200, json.dumps(issued).encode()

    address = httpserver_of(answer)
    bucket = Bucket(
        "s3://b/p",
        {"AWS_REGION": "r", "AWS_CONTAINER_CREDENTIALS_FULL_URI": address, "AWS_CONTAINER_AUTHORIZATION_TOKEN": "secret"},
    )
    assert bucket._who().key == "k"
    assert bucket._who() is bucket._who()
    assert asked == ["secret", "secret"]


def test_what_is_no_credentials_is_a_log_that_cannot_be_written(httpserver_of):
    address = httpserver_of(lambda _: (200, b'{"Message": "throttled"}'))
    with pytest.raises(OSError, match="nobody signs for it"):
        credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": address})


@pytest.fixture
def httpserver_of():
    """Starts a server of one function: headers in, status and body out."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    servers = []

    def start(answer):
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                self.rfile.read(int(self.headers.get("content-length", 0)))
                status, body = answer(self.headers)
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_PUT = do_GET

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{servers[-1].server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def test_what_may_pass_is_tried_again_and_what_may_not_is_told_at_once(httpserver_of):
    answers = [
        (503, b"SlowDown"),
        (200, b""),
        (403, b"<Code>AccessDenied</Code><Token-0>secret</Token-0>"),
        *[(500, b"")] * 3,
    ]

    def answer(_):
        return answers.pop(0)

    bucket = Bucket("s3://b/p", {**ENVIRONMENT, "AWS_ENDPOINT_URL": httpserver_of(answer)})
    bucket.put("one", b"1")
    assert len(answers) == 4
    with pytest.raises(OSError, match="its bucket does not take it: 's3://b: 403 AccessDenied'"):
        bucket.put("two", b"2")
    with pytest.raises(OSError, match="s3://b: 500"):
        bucket.put("three", b"3")
    assert answers == []
    nobody = Bucket("s3://b/p", {**ENVIRONMENT, "AWS_ENDPOINT_URL": "http://127.0.0.1:9"})
    with pytest.raises(OSError, match="no answer"):
        nobody.put("four", b"4")


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["plain", "sealed"])
def test_an_object_is_a_segment_like_any_other(objects, tmp_path, key):
    objects.create_bucket(Bucket="log")
    log = ObjectLog(Bucket("s3://log/small"), key)
    records = [Feedback(str(number), "2026-01-01T00:00:00Z", "1", "") for number in range(3)]
    size = log.append(records)
    (found,) = objects.list_objects_v2(Bucket="log", Prefix="small/")["Contents"]
    path = tmp_path / found["Key"].rpartition("/")[2]
    path.write_bytes(objects.get_object(Bucket="log", Key=found["Key"])["Body"].read())
    assert path.stat().st_size == size
    ((_, lines),) = groups(path, Cipher(key) if key else None)
    assert [json.loads(line)["prediction_id"] for line in lines.splitlines()] == ["0", "1", "2"]
