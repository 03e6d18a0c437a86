"""Addresses, certificates, proxies (threats.md B18 to B21).

In: a loopback server with certificates made here. Out: an answer, or a named refusal. Never: the network.
"""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from pui.adapters.channel.updater import ChannelUpdater
from pui.adapters.packs.floor_rate import _authorities
from pui.adapters.packs.web import Web
from pui.domain.errors import PuiError
from tests.support.channel_rig import PATIENT, QUICK, ChannelRig
from tests.support.pack_server import Talk, pack_server
from tests.support.pack_simulator import APP


class Certificate:
    """A certificate for `host`, its own authority, valid until `days` from now."""

    def __init__(self, base: Path, host: str, days: int) -> None:
        key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pui test")])
        address = x509.IPAddress(ipaddress.ip_address(host))
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([address]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        self.path = base / "cert.pem"
        self.path.write_bytes(made.public_bytes(Encoding.PEM))
        self._key = base / "tls-key.pem"
        self._key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.path, self._key)
        return context


CASES = [
    pytest.param("127.0.0.1", 30, True, "", id="trusted-by-the-persons-choice"),
    pytest.param("127.0.0.1", 30, False, "fetch.network", id="B18-self-signed"),
    pytest.param("127.0.0.1", -1, True, "fetch.network", id="B18-expired"),
    pytest.param("127.0.0.9", 30, True, "fetch.network", id="B18-another-host"),
]


@pytest.mark.parametrize(("host", "days", "choice", "code"), CASES)
def test_b18_certificates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: str, days: int, choice: bool, code: str
) -> None:
    certificate = Certificate(tmp_path, host, days)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.path))
    _authorities.cache_clear()
    found = ""
    with pack_server({"/f": lambda talk: talk.reply(200, b"here")}, certificate.server_context()) as (address, _):
        web = Web(PATIENT, trust_environment=choice)
        try:
            with web.open(httpx.URL(f"{address}/f")) as response:
                assert response.read() == b"here"
        except PuiError as error:
            found = error.code
    assert found == code


def test_b7_a_drip_ends_also_behind_the_persons_own_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx then makes the connections, so the floor is under the body alone."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    def drip(talk: Talk) -> None:
        talk.head(200, Content_Length="100000")
        while not talk.stopping.wait(0.05):
            talk.wfile.write(b"x")

    web = Web(QUICK, trust_environment=True)
    with (
        pack_server({"/f": drip}) as (address, _),
        pytest.raises(PuiError, match=r"fetch\.stalled"),
        web.open(httpx.URL(f"{address}/f")) as response,
    ):
        for _chunk in web.chunks(response):
            pass


@pytest.mark.parametrize(
    "address",
    ["http://example.org/c", "http://localhost.example.org/c", "ftp://example.org/c", "https://u:p@example.org/c", "x"],
)
def test_b19_addresses_that_are_not_asked(rig: ChannelRig, address: str) -> None:
    with pytest.raises(PuiError, match=r"caller\.bad_request"):
        ChannelUpdater(rig.shop.paths, APP, address)


def test_b20_a_name_that_leads_to_this_computer_is_not_let_through_unencrypted(rig: ChannelRig) -> None:
    """Only the literal loopback address is; a name could lead anywhere tomorrow, so it needs a certificate."""
    with rig.served() as (address, seen):
        port = address.rpartition(":")[2]
        with pytest.raises(PuiError, match=r"caller\.bad_request"):
            ChannelUpdater(rig.shop.paths, APP, f"http://rebound.example.org:{port}/")
    assert not seen


def test_b21_hostile_proxies_of_the_environment(rig: ChannelRig, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with rig.served() as (address, _):
        assert rig.check(address).verified.manifest.pack_version == 1
        chosen = ChannelUpdater(rig.shop.paths, APP, address, web=Web(PATIENT, trust_environment=True))
        with pytest.raises(PuiError, match=r"fetch\.network"):
            chosen.check()
