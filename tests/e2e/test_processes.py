"""The program as a process of its own: killed, started twice, without OpenGL, with broken settings."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from core.dialogue.history import History, list_conversations
from core.settings import conversations_folder, settings_path
from tests.e2e.films import shown_s

if TYPE_CHECKING:
    from tests.soundserver import SoundServer

pytestmark = [pytest.mark.window, pytest.mark.sound, pytest.mark.timeout(180)]
PROCESS_LIMIT_S = 60
ROOT = Path(__file__).resolve().parents[2]
CHILD = """
import dataclasses, sys
import app.main, app.cli, core.parts
from core.events import Failed, RecordingStarted, Replying
from tests.fakes import PaintingPerformer, ScriptedDialogue

product_parts = core.parts.product_parts
talking = ScriptedDialogue(pieces=[("A sentence that was heard. ", 1.0)] * int(sys.argv.pop(1)))
core.parts.product_parts = lambda *given: dataclasses.replace(
    product_parts(*given), performer=lambda _: PaintingPerformer(512),
    dialogue=lambda *_: talking, built_in=lambda *_: talking, introduce=lambda *_: None,
)
begin, receive, come_forward = app.main.Program.begin, app.main.Reporter.receive, app.main.Program.come_forward

def noting(reporter, event):
    receive(reporter, event)
    if isinstance(event, RecordingStarted):
        print("recording", event.path, flush=True)
        program.window.engine.say("Remember this")
    elif isinstance(event, Replying):
        print("done" if event.done else "replying", flush=True)
        if event.done:
            program.window.close()
    elif isinstance(event, Failed):
        print("told", event.title, flush=True)

def begun(started):
    global program
    program = started
    begin(started)
    print("reported" if started._report else "well", flush=True)

def forward(started):
    print("forward", flush=True)
    come_forward(started)

app.main.Reporter.receive, app.main.Program.begin, app.main.Program.come_forward = noting, begun, forward
sys.exit(app.cli.main(sys.argv[1:]))
"""


def start(*arguments: str, sentences: int = 30) -> subprocess.Popen[str]:
    """The program as a process of its own, whose replies have so many sentences of a second; it does not live for
    ever, so that nobody waits for ever for its words."""
    command = [sys.executable, "-c", CHILD, str(sentences), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT)
    overdue = threading.Timer(PROCESS_LIMIT_S, process.kill)
    overdue.daemon = True
    overdue.start()
    return process


def line_with(process: subprocess.Popen[str], beginning: str) -> str:
    """The next line that begins so; those before it are passed over."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return line.strip()
    raise AssertionError(f"the program ended without {beginning!r}")


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_killed_program_keeps_film_and_conversation_and_only_one_runs_at_a_time(
    server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    first = start("--record")
    try:
        film = Path(line_with(first, "recording").removeprefix("recording "))
        for _ in range(4):
            line_with(first, "replying")
        server.record(3.0)
        second = start()
        try:
            assert second.wait(20) == 0
            line_with(first, "forward")
            assert second.stdout is not None
            assert second.stdout.read() == ""
        finally:
            end(second)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    finally:
        end(first)
    assert shown_s(film) > 2.0
    (saved,) = list_conversations(conversations_folder())
    with History.reopen(saved.path) as reopened:
        assert "Remember this" in [entry.text for entry in reopened.entries]
    third = start()
    try:
        assert line_with(third, "well") == "well"
    finally:
        end(third)


def test_without_opengl_and_with_broken_settings_both_are_told_and_the_talk_goes_on(
    server: SoundServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("volume = [", "utf-8")
    monkeypatch.setenv("QT_XCB_GL_INTEGRATION", "none")
    program = start("--record", sentences=1)
    assert program.stdout is not None
    with program.stdout:
        said = program.stdout.read().splitlines()
    assert program.wait(20) == 0
    assert [line for line in said if line.startswith("told")] == [
        "told Your settings could not be read, so LiveTalk started with its own.",
        "told This computer has no OpenGL, so the picture is drawn without it.",
    ]
    assert said[-1] == "done"
    assert (settings_path().parent / "settings.broken.toml").read_text("utf-8") == "volume = ["
