"""Putting one object into Amazon S3, or into what speaks its protocol, with the standard library alone.

`botocore` would take a third of a function's cold start; this is the one call that a server makes. Requests are signed after
AWS Signature Version 4 (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html), which the tests hold
to botocore's. Credentials come from where AWS puts them for its functions and containers: the environment, or the address
that `AWS_CONTAINER_CREDENTIALS_FULL_URI` names, which is asked again before they end.
"""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import re
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import NamedTuple
from urllib.parse import quote, urlsplit
from urllib.request import ProxyHandler, Request, build_opener

import msgspec

BUCKETS = "s3://"
TRIES = 3
PAUSE = 0.1  # seconds before the second try, and twice as much before each further one
SECONDS = 2.0  # for one step of a try: three tries, twice, fit into the 30 s of a function
TOLD = re.compile("<(?:Code|Message)>([^<]*)<")  # of an error; the rest may hold the session's token
IDLE = 5.0  # a connection that was not used for so long may be gone, and a function that slept does not know
FRESH = 300.0  # seconds that credentials must still hold


class Credentials(NamedTuple):
    """Who signs; `until` is when they end, in seconds of the clock."""

    key: str
    secret: str
    token: str = ""
    until: float = float("inf")


class _Issued(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: datetime


class Bucket:
    """A bucket, and what all names in it begin with. Nothing is connected or asked before the first `put`.

    Args:
        url: `s3://BUCKET/PREFIX`.
        environment: Where region, endpoint and credentials are told.

    Raises:
        ValueError: it is no such URL, or no region is told.
    """

    def __init__(self, url: str, environment: Mapping[str, str] = os.environ) -> None:
        parts = urlsplit(url)
        self.name, self.prefix = parts.netloc, parts.path.strip("/")
        if parts.scheme != "s3" or not self.name or parts.query or parts.fragment:
            raise ValueError(f"{url}: is no place for a log; write s3://BUCKET/PREFIX")
        self.region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or ""
        if not self.region:
            raise ValueError(f"{url}: set AWS_REGION to the bucket's region")
        self._environment = environment
        endpoint = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
        suffix = "amazonaws.com.cn" if self.region.startswith("cn-") else "amazonaws.com"
        by_path = bool(endpoint) or "." in self.name  # a name with a dot fits no certificate
        own = f"s3.{self.region}.{suffix}" if by_path else f"{self.name}.s3.{self.region}.{suffix}"
        self._endpoint = urlsplit(endpoint or f"https://{own}")
        self._path = f"/{self.name}/" if by_path else "/"
        self._credentials: Credentials | None = None
        self._connection: HTTPConnection | None = None
        self._used = 0.0

    def put(self, name: str, content: bytes) -> None:
        """Store an object below the prefix; returns when the store has it. What may pass is tried again.

        Raises:
            OSError: it could not be stored; the text says what was answered.
        """
        for tried in range(TRIES):
            if tried:
                time.sleep(PAUSE * 2 ** (tried - 1))
            try:
                status, said = self._put(f"{self.prefix}/{name}".lstrip("/"), content)
            except (OSError, HTTPException) as error:  # also a connection that was closed while nothing was written
                self._connection, status, said = None, 0, repr(error)
            if status == 200:
                return
            if 400 <= status < 500 and status != 429:
                break
        raise OSError(errno.EIO, "its bucket does not take it", f"s3://{self.name}: {status or 'no answer'} {said}".strip())

    def _put(self, key: str, content: bytes) -> tuple[int, str]:
        path = self._endpoint.path.rstrip("/") + self._path + quote(key, safe="/-_.~")
        headers = sign("PUT", self._endpoint.netloc, path, content, self.region, self._who(), datetime.now(UTC))
        connection = self._connected()
        connection.request("PUT", path, content, headers)
        answer = connection.getresponse()
        said = answer.read().decode(errors="replace")
        return answer.status, " ".join(TOLD.findall(said)) if answer.status != 200 else ""

    def _connected(self) -> HTTPConnection:
        idle, self._used = time.monotonic() - self._used, time.monotonic()
        if self._connection is None or idle > IDLE:
            kind = HTTPConnection if self._endpoint.scheme == "http" else HTTPSConnection
            self._connection = kind(self._endpoint.netloc, timeout=SECONDS)
        return self._connection

    def _who(self) -> Credentials:
        if self._credentials is None or self._credentials.until - time.time() < FRESH:
            self._credentials = credentials(self._environment)
        return self._credentials


def credentials(environment: Mapping[str, str]) -> Credentials:
    """Whom to sign as.

    Raises:
        OSError: nobody is told, or who tells it does not answer.
    """
    if address := environment.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
        asked = Request(address, headers={"Authorization": environment.get("AWS_CONTAINER_AUTHORIZATION_TOKEN", "")})
        with build_opener(ProxyHandler({})).open(asked, timeout=SECONDS) as answer:  # to nobody but whom AWS names
            content = answer.read()
        try:
            issued = msgspec.json.decode(content, type=_Issued)
        except msgspec.DecodeError:
            raise OSError(errno.EACCES, "nobody signs for it", f"{address} answers no credentials") from None
        return Credentials(issued.access_key_id, issued.secret_access_key, issued.token, issued.expiration.timestamp())
    key, secret = environment.get("AWS_ACCESS_KEY_ID", ""), environment.get("AWS_SECRET_ACCESS_KEY", "")
    if not key or not secret:
        names = "neither AWS_CONTAINER_CREDENTIALS_FULL_URI nor AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are set"
        raise OSError(errno.EACCES, "nobody signs for it", names)
    return Credentials(key, secret, environment.get("AWS_SESSION_TOKEN", ""))


def sign(
    method: str, host: str, path: str, content: bytes, region: str, who: Credentials, moment: datetime
) -> dict[str, str]:
    """The headers of a signed request to S3; the path is quoted already and has no query."""
    stamp = f"{moment:%Y%m%dT%H%M%SZ}"
    headers = {"host": host, "x-amz-content-sha256": hashlib.sha256(content).hexdigest(), "x-amz-date": stamp}
    if who.token:
        headers["x-amz-security-token"] = who.token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"{method}\n{path}\n\n{lines}\n{names}\n{headers['x-amz-content-sha256']}"
    scope = f"{stamp[:8]}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{who.secret}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    headers["authorization"] = f"AWS4-HMAC-SHA256 Credential={who.key}/{scope}, SignedHeaders={names}, Signature={signature}"
    return headers
