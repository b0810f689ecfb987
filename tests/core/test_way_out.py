"""The proxy that the environment names is taken, over both roads; what cannot be used is told of by its name."""

from __future__ import annotations

import asyncio
import contextlib
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from core.dialogue import probe
from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.protocol import Verdict
from core.dialogue.way_out import proxy_of
from core.errors import Problem, ServerError
from tests.core.live_server import LiveServer, speaking
from tests.core.loopback import LoopbackServer
from tests.core.omni_server import OmniServer, in_turn
from tests.core.omni_talk import HELLO, KEY, PCM, ask, talking

if TYPE_CHECKING:
    from pathlib import Path

ELSEWHERE = "http://avatar.example/v1"
VARIABLES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "ws_proxy", "wss_proxy", "socks_proxy")


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


class SocksProxy(LoopbackServer):
    """SOCKS 5 as RFC 1928 has it, without a password; whatever name is asked for, it leads to `to`."""

    def __init__(self, to: str) -> None:
        super().__init__("socks-proxy")
        self._to = urlsplit(to).port
        self.names: list[str] = []

    @property
    def url(self) -> str:
        return f"socks5://127.0.0.1:{self._port}"

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._lead, "127.0.0.1", 0)
        self._port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._over
        server.close()

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, methods = await reader.readexactly(2)
        await reader.readexactly(methods)
        writer.write(b"\x05\x00")
        *_, kind, length = await reader.readexactly(5)
        assert kind == 3, "a name, to be looked up here"
        self.names.append((await reader.readexactly(length)).decode())
        await reader.readexactly(2)
        writer.write(b"\x05\x00\x00\x01" + bytes(6))
        onward = await asyncio.open_connection("127.0.0.1", self._to)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_carry(reader, onward[1]), _carry(onward[0], writer))


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


@pytest.mark.parametrize("name", ["ALL_PROXY", "http_proxy"])
def test_a_socks_proxy_leads_to_an_endpoint(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with OmniServer(in_turn(HELLO), (("m", "vllm"),)) as server, SocksProxy(server.url) as proxy:
        monkeypatch.setenv(name, proxy.url)
        dialogue = OmniDialogue(Endpoint(ELSEWHERE))
        try:
            assert ask(dialogue).pcm == PCM
        finally:
            dialogue.close()
        assert set(proxy.names) == {"avatar.example"}


def test_a_socks_proxy_leads_to_a_live_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    with LiveServer(speaking("nested", "Hi.", PCM)) as server, SocksProxy(server.url) as proxy:
        monkeypatch.setenv("all_proxy", proxy.url)
        dialogue = OmniDialogue(Endpoint("ws://avatar.example/v1", "m", dialect="openai_realtime"))
        try:
            assert ask(dialogue).verdict is Verdict.OK
        finally:
            dialogue.close()
        assert set(proxy.names) == {"avatar.example"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALL_PROXY", "socks://127.0.0.1:7891"),
        ("all_proxy", "socks4://127.0.0.1:7891"),
        ("HTTPS_PROXY", "http://"),
        ("https_proxy", "http://[bad"),
        ("HTTPS_PROXY", "http://secret:word@host:99999"),
    ],
)
@pytest.mark.parametrize("url", ["https://avatar.example/v1", "wss://avatar.example/v1"])
def test_a_proxy_that_cannot_be_used_is_told_of_by_the_name_of_its_variable(
    name: str, value: str, url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(name, value)
    dialogue = OmniDialogue(Endpoint(url, "m", KEY))
    try:
        error = ask(dialogue).error
    finally:
        dialogue.close()
    assert error is not None
    assert (error.problem, error.title) == (
        Problem.ENDPOINT_UNREACHABLE,
        f"The proxy that {name} names cannot be used.",
    )
    assert f"Mend {name} and start LiveTalk again" in error.advice
    assert (value.partition("//")[2] or "secret") not in f"{error.title}{error.advice}{error.detail}{caplog.text}"
    assert "Traceback" not in caplog.text


def test_certificates_that_are_not_there_are_told_of_by_the_name_of_their_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "nowhere.pem"))
    with pytest.raises(ServerError) as told:
        probe.try_endpoint(Endpoint("https://avatar.example/v1", "m"))
    assert told.value.title == "The certificates that SSL_CERT_FILE names cannot be read."
    with talking(in_turn(HELLO)) as (_, dialogue):
        assert ask(dialogue).pcm == PCM, "what is not encrypted needs none"


@pytest.mark.parametrize(
    ("environment", "url", "proxy"),
    [
        ({}, "https://avatar.example/v1", None),
        ({"HTTPS_PROXY": "proxy:3128"}, "https://avatar.example/v1", "http://proxy:3128"),
        ({"HTTPS_PROXY": "http://proxy:1/", "ALL_PROXY": "socks://x"}, "https://avatar.example", "http://proxy:1"),
        ({"HTTPS_PROXY": "http://proxy:3128"}, "http://avatar.example/v1", None),
        ({"all_proxy": "socks5://u:p@proxy"}, "http://avatar.example/v1", "socks5h://u:p@proxy:1080"),
        ({"ALL_PROXY": "http://proxy"}, "http://127.0.0.1:8000/v1", None),
        ({"ALL_PROXY": "http://proxy"}, "http://localhost:8000/v1", None),
        ({"ALL_PROXY": "http://proxy", "NO_PROXY": "other,.example"}, "http://avatar.example/v1", None),
        ({"ALL_PROXY": "http://proxy", "no_proxy": "192.168.0.0/16"}, "http://192.168.3.4:8091/v1", None),
        ({"ALL_PROXY": "http://proxy", "no_proxy": "foo/bar, 10.0.0.0/8"}, "http://10.1.2.3/v1", None),
        ({"ALL_PROXY": "http://proxy:1", "no_proxy": "192.168.0.0/16"}, "http://192.169.3.4/v1", "http://proxy:1"),
        ({"ALL_PROXY": "http://proxy", "no_proxy": "*"}, "http://avatar.example/v1", None),
    ],
)
def test_a_proxy_is_for_the_scheme_it_is_named_for_and_not_for_who_is_spared(
    environment: dict[str, str], url: str, proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = proxy_of(Endpoint(url))
    assert (found and re.sub("/$", "", found)) == proxy
