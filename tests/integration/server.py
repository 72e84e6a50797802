"""One inference server as a process of its own, and certificates to run it with."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import httpx

from configs.settings import PROJECT
from tasks.deploying.platforms.ports import free_port


class Server:
    """`python -m serving` on a free port, up when the constructor returns. Its output goes to `output`."""

    def __init__(self, bundle, log, *words, output=None, environment=None, tls=None, port=None):
        self.port, self.output = port or free_port(), output or log.parent / "server.log"
        command = [sys.executable, "-m", "serving", "--bundle", str(bundle), "--log", str(log), *words]
        if port is None:
            command += ["--port", str(self.port)]
        if tls:
            command += ["--tls-certificate", str(tls[0]), "--tls-key", str(tls[1])]
        with self.output.open("ab") as file:
            self.process = subprocess.Popen(
                command,
                cwd=PROJECT,
                env={"SLIPWAY_LOG_PEPPER": "the tests' own", **os.environ, **(environment or {})},
                stdout=file,
                stderr=file,
                start_new_session=True,
            )
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        verify = ssl.create_default_context(cafile=str(tls[0])) if tls else True
        self.client = httpx.Client(base_url=self.url, timeout=20, verify=verify)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                if self.client.get("/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise AssertionError(f"the server did not come up:\n{self.words()}")

    def words(self):
        """What it printed."""
        return self.output.read_text(errors="replace")

    def kill(self):
        """SIGKILL to all of its processes."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def raw(self, data, seconds=10.0):
        """Send bytes as they are; what comes back until the server closes or the time is over."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(data)
            received = b""
            with contextlib.suppress(TimeoutError, ConnectionError):
                while part := connection.recv(65536):
                    received += part
            return received


def wait_for(found, what, seconds=60.0):
    """What `found` gives, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while not (result := found()):
        assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s"
        time.sleep(0.05)
    return result


def read_until(process, line):
    """What a process says, up to the line with which the regular expression is found in it; then it is still running."""
    said = ""
    for each in process.stdout:
        said += each
        if re.search(line, said):
            assert process.poll() is None, said
            return said
    raise AssertionError(f"it ended without {line!r}:\n{said}")


def make_certificate(folder):
    """A self-signed certificate for localhost and 127.0.0.1, and its key, as PEM files."""
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.datetime.now(datetime.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "certificate.pem", folder / "key.pem"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class Load:
    """Constant load from real clients; what was not answered with 200 is kept."""

    def __init__(self, address, record):
        self.address, self.record, self.answers, self.lost = address, record, [], []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._client) for _ in range(8)]

    def _client(self):
        with httpx.Client(timeout=10) as http:
            while not self._stop.is_set():
                try:
                    answer = http.post(f"{self.address}/predict", json={"records": [self.record]})
                    if answer.status_code == 200:
                        self.answers.append(answer.headers.get("x-slipway-release"))
                    else:
                        self.lost.append(answer.status_code)
                except httpx.TransportError as error:
                    self.lost.append(repr(error))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()
