import pytest

from configs.errors import InputError
from configs.load import load_use_case
from configs.tls import GatewayTls, gateway_tls, remember_tls, running_tls
from tasks.deploying.settings import needs_keys, settings


@pytest.fixture
def files(tmp_path):
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    for path in paths:
        path.write_text("PEM")
    return paths


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("127.0.0.1:1", False),
        ("localhost:1", False),
        ("[::1]:1", False),
        ("0.0.0.0:1", True),
        (":1", True),
        ("a.org:1", True),
    ],
)
def test_keys_are_needed_as_soon_as_the_gateway_is_public(home, files, address, public):
    """Also from a shell that knows nothing of how the gateway was started."""
    case = load_use_case("loans")
    assert not needs_keys(case)
    remember_tls(GatewayTls(address, *files))
    assert running_tls() == GatewayTls(address, *files)
    assert needs_keys(case) == public
    assert settings(case)["SLIPWAY_AUTH"] == ("on" if public else "off")
    remember_tls(None)
    assert not needs_keys(case)


def test_what_is_asked_for_is_checked(home, files, monkeypatch):
    assert gateway_tls() is None
    monkeypatch.setenv("SLIPWAY_GATEWAY_TLS_CERTIFICATE", str(files[0]))
    with pytest.raises(InputError, match="SLIPWAY_GATEWAY_TLS_KEY is missing"):
        gateway_tls()
    monkeypatch.setenv("SLIPWAY_GATEWAY_TLS_KEY", "/nowhere.pem")
    with pytest.raises(InputError, match=r"/nowhere\.pem. is no file"):
        gateway_tls()
    monkeypatch.setenv("SLIPWAY_GATEWAY_TLS_KEY", str(files[1]))
    assert not gateway_tls().is_public
    monkeypatch.setenv("SLIPWAY_GATEWAY_TLS_ADDRESS", "0.0.0.0")
    with pytest.raises(InputError, match="write HOST:PORT"):
        gateway_tls()
