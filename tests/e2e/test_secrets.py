"""A key goes to its endpoint and nowhere else: not into a log, a file, a film or a report, whatever happens."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.core.live_server import LiveServer, speaking
from tests.core.omni_server import Head, OmniServer, Reset, answering, tone, vllm_sound, vllm_words, wav

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.core.omni_server import Asked

pytestmark = pytest.mark.timeout(180)
ROOT = Path(__file__).resolve().parents[2]
KEY = "sk-3c1f-never-to-be-found-again"
PROGRAM = """
import dataclasses, logging, sys
import app.cli, app.commands.converse
from app.crash import report_of
from core.parts import product_parts
from core.session import Session
from core.settings import Settings, changed, save, settings_path
from tests.fakes import PaintingPerformer
from tests.rig import LoudnessVad

class Open(Session):
    def __init__(self, *given, private, **more):
        super().__init__(*given, private=False, **more)  # the conversation is written to the disk, too

def parts(*given):
    return dataclasses.replace(product_parts(*given), performer=lambda _: PaintingPerformer(), vad=LoudnessVad)

app.commands.converse.Session = Open
app.commands.converse.converse.__defaults__ = (parts,)
logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
status = app.cli.main(sys.argv[1:])
logging.getLogger().setLevel(logging.DEBUG)
save(changed(Settings(), "dialogue", url=sys.argv[-1]), settings_path())
try:
    product_parts(lambda *_: 1 / 0).dialogue(changed(Settings(), "dialogue", url="http://127.0.0.1:9"), "amara")
except ZeroDivisionError as bug:
    print(report_of(bug))
sys.exit(status)
"""
"""The command with everything written down that can be: the log at its loudest, the conversation, settings, a report
of a bug."""


def echoing(status: int) -> list[object]:
    """A server that repeats the key it was given."""
    return [Head(status, (), {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "x"}})]


def scripts() -> Iterable[list[object]]:
    yield [Head(), vllm_words("Half of"), vllm_sound(wav(tone(0.3))), Reset()]
    yield echoing(401)
    yield echoing(400)
    yield list(answering("All of it.", wav(tone(0.4)))(None))  # type: ignore[arg-type] - it looks at nothing


@pytest.mark.parametrize("road", ["chat", "live"])
def test_the_key_is_found_nowhere_but_at_the_endpoint(road: str, tmp_path: Path) -> None:
    if road == "chat":
        told = list(scripts())

        def script(_: Asked) -> list[object]:
            return told.pop(0)

        with OmniServer(script, (("m", "vllm"),)) as server:  # type: ignore[arg-type] - lists of steps
            output = conversed(tmp_path, server.url, ["One", "Two", "Three", "Four"])
            assert all(asked.headers["authorization"] == f"Bearer {KEY}" for asked in server.asked)
            assert server.turns
    else:
        with LiveServer(speaking("nested", "Hi.", tone(0.4))) as live:
            output = conversed(tmp_path, live.url, ["One"])
            assert all(talk.headers["Authorization"] == f"Bearer {KEY}" for talk in live.talks)
            assert live.talks
    assert "ZeroDivisionError" in output
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {".mp4", ".vtt", ".toml", ".jsonl"} <= {path.suffix for path in files}
    assert KEY not in output
    for path in files:
        assert KEY.encode() not in path.read_bytes(), path


def conversed(folder: Path, url: str, said: list[str]) -> str:
    """What the program wrote to its terminal."""
    turns = [word for words in said for word in ("--say", words)]
    words = ["--verbose", "converse", "--avatar", "amara", "--out", str(folder / "talk.mp4"), "--model", "m"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *words, *turns, "--endpoint", url],
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "LIVETALK_API_KEY": KEY, "OPENAI_LOG": "debug"},
    )
    return done.stdout + done.stderr
