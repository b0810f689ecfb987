"""Keys and words stay where they belong: encrypted on the way, past no proxy on this computer, and in no repr."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Verdict
from core.dialogue.services import Service, Services
from core.errors import Problem
from tests.core.live_server import LiveServer, speaking
from tests.core.omni_server import DONE, Event, Head, OmniServer, chunk, in_turn, voiced
from tests.core.omni_talk import FINISH, HELLO, KEY, PCM, Heard, ask, talking

if TYPE_CHECKING:
    from pathlib import Path

PROXIES = ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "WS_PROXY", "ws_proxy")


@pytest.fixture
def own_certificate(tmp_path: Path) -> Path:
    """Certificate and key of a server on this computer, signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "server.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_a_server_that_is_vouched_for_is_spoken_to(
    scheme: str, own_certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(own_certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own_certificate)
    with OmniServer(in_turn(HELLO), tls=tls) as server:
        dialogue = OmniDialogue(Endpoint(server.url.replace("https", scheme), "m", KEY))
        try:
            ask(dialogue)
        finally:
            dialogue.close()
        path = "/v1/chat/completions" if scheme == "https" else "/v1/realtime?model=m"
        assert f"Bearer {KEY}" in [asked.headers["authorization"] for asked in server.asked if asked.path == path]


@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_a_server_that_cannot_prove_who_it_is_gets_neither_key_nor_question(scheme: str, own_certificate: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(own_certificate)
    with OmniServer(in_turn(HELLO), tls=tls) as server:
        dialogue = OmniDialogue(Endpoint(server.url.replace("https", scheme), "m", KEY, dialect="openai"))
        try:
            error = ask(dialogue).error
        finally:
            dialogue.close()
        assert server.asked == []
    assert error is not None
    assert error.problem is Problem.ENDPOINT_UNREACHABLE


def test_a_proxy_does_not_come_between_this_computer_and_a_live_server_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with LiveServer(speaking("nested", "Hi.", PCM)) as server:
        dialogue = OmniDialogue(Endpoint(server.url, "m", dialect="openai_realtime"))
        assert ask(dialogue).verdict is Verdict.OK
        dialogue.close()


def test_a_proxy_does_not_come_between_this_computer_and_a_voice_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    written = [Head(), Event(chunk({"content": "Yes."})), FINISH, DONE]
    with OmniServer(in_turn(()), voice=lambda _: voiced(PCM)) as voice:
        services = Services(voice=Service(voice.url))
        with talking(in_turn(written), models=(("llama", "library"),), services=services) as (_, dialogue):
            assert ask(dialogue).pcm == PCM


def test_a_server_that_points_elsewhere_gets_nothing_sent_on() -> None:
    with OmniServer(in_turn(HELLO)) as other:
        pointing = [Head(307, (("location", f"{other.url}/chat/completions"),), {})]
        with talking(in_turn(pointing), models=None, dialect="vllm_omni", model="m", key=KEY) as (_, dialogue):
            error = ask(dialogue).error
        assert other.asked == []
    assert error is not None
    assert error.title == "What is at this address points to another one."


def test_a_live_server_that_points_to_another_host_gets_nothing_sent_on() -> None:
    with LiveServer(speaking("nested", "Hi.", PCM)) as other:
        there = other.url.replace("127.0.0.1", "localhost") + "/realtime?model=m"
        with LiveServer(speaking("nested", "Hi.", PCM), (307, {"location": there}, "")) as server:
            dialogue = OmniDialogue(Endpoint(server.url, "m", KEY, dialect="openai_realtime"))
            error = ask(dialogue).error
            dialogue.close()
        assert other.talks == []
    assert error is not None
    assert error.title == "What is at this address points to another one."


def test_no_key_shows_when_what_holds_it_is_printed() -> None:
    endpoint, service = Endpoint("http://localhost:1", key=KEY), Service("http://localhost:2", key=KEY)
    with talking(in_turn(HELLO), key=KEY) as (_, dialogue):
        ask(dialogue, Heard("Hi."))
        for holder in (endpoint, service, Services(service, service), dialogue, dialogue._who.server, dialogue._client):
            assert KEY not in repr(holder)
            assert KEY not in str(holder)
