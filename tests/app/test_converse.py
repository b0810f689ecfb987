"""A conversation without a window, in real time, with the engine's own threads and a scripted dialogue."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
import soundfile

from app import cli
from app.commands import converse as command
from app.commands.talk import TurnReport
from app.commands.terminal import Terminal
from core.dialogue.protocol import Verdict
from core.errors import Problem, RecordingError, ServerError
from core.media import MediaFormat
from core.scribe import no_words
from core.session_parts import Parts
from core.settings import Settings
from tests.fakes import PaintingPerformer, ScriptedDialogue, tone
from tests.rig import LoudnessVad

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.audio.device import SoundDevice
    from core.dialogue.protocol import Reply


def scripted(dialogue: ScriptedDialogue) -> Callable[..., Parts]:
    def make(_: Callable[[], str], device: Callable[[Settings], SoundDevice]) -> Parts:
        return Parts(
            performer=lambda _: PaintingPerformer(),
            picture=lambda _: np.zeros((64, 64, 3), np.uint8),
            portrait_name=str.title,
            dialogue=lambda *_: dialogue,
            built_in=lambda *_: dialogue,
            introduce=lambda *_: None,
            device=device,
            media=lambda _: MediaFormat(),
            vad=LoudnessVad,
            transcribe=no_words,
            now=time.perf_counter,
        )

    return make


def spoken_question(folder: Path) -> Path:
    path = folder / "question.wav"
    soundfile.write(path, tone(0.8, rate=16_000), 16_000)
    return path


def test_typed_and_spoken_turns_are_answered_and_kept_in_a_film(tmp_path: Path) -> None:
    said = io.StringIO()
    dialogue = ScriptedDialogue(pieces=(("Hello there. ", 0.6), ("How are you?", 0.6)), hears="a question")
    reports, saved = command.converse(
        Settings(),
        ("Hello", spoken_question(tmp_path)),
        tmp_path / "talk.mp4",
        Terminal(said, said),
        scripted(dialogue),
    )
    typed, spoken = reports
    assert (typed.user, typed.avatar, typed.complete) == ("Hello", "Hello there. How are you?", True)
    assert (spoken.user, spoken.spoken, spoken.complete) == ("a question", True, True)
    for report in reports:
        marks = report.marks
        assert marks["end_of_speech"] == 0
        assert 0 <= marks["first_text"] <= marks["first_audio"] <= marks["first_frame_shown"] < 10
        assert report.heard_s == pytest.approx(1.2, abs=0.02)
    assert 0.4 < spoken.marks["end_of_turn"] < 2.0
    with av.open(str(saved.path)) as film:
        assert {stream.type for stream in film.streams} == {"audio", "video"}
        assert film.duration / av.time_base == pytest.approx(saved.seconds, abs=0.1)
    assert "How are you?" in saved.subtitles.read_text("utf-8")
    assert saved.seconds > 2.4


def test_a_turn_that_failed_is_reported_with_its_reason_and_the_talk_goes_on(tmp_path: Path) -> None:
    said = io.StringIO()
    dialogue = ScriptedDialogue(
        pieces=(("I was", 0.3),), error=ServerError(Problem.ANSWER_CUT, "The answer broke off half-way.", "Ask again.")
    )
    reports, _ = command.converse(
        Settings(), ("One", "Two"), tmp_path / "talk.mp4", Terminal(said, said), scripted(dialogue)
    )
    assert [report.complete for report in reports] == [False, False]
    assert {report.problem for report in reports} == {"The answer broke off half-way."}
    assert [report.avatar for report in reports] == ["I was", "I was"]
    assert "The answer broke off half-way. Ask again.\n" in said.getvalue()


def test_the_stages_of_every_turn_that_was_answered_are_told() -> None:
    stages = {"End of turn": 0.3, "First sound": 0.4}
    shown = TurnReport("Hi", "Hello", True, {}, stages, 1.0, True, 0, 0)
    silent = TurnReport("Hi", "", False, {}, {}, 0.0, False, 0, 0)
    assert command.stages_table([silent, shown]) == [
        "",
        "seconds each stage took  end of turn  first sound  together",
        "turn 2                          0.30         0.40      0.70",
    ]
    assert command.stages_table([silent]) == []


def test_a_recording_that_is_not_there_is_told_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "talk.mp4")]
    assert cli.main(["converse", "--audio", str(tmp_path / "nowhere.wav"), *out]) == 1
    said = capsys.readouterr()
    assert said.err == '"nowhere.wav" can\'t be read as sound.\nThere is no such file.\n'
    assert "Preparing" not in said.out


@dataclass
class Ending(ScriptedDialogue):
    """Says its pieces and ends the reply as `verdict` says."""

    verdict: Verdict = Verdict.OK

    def play(self, reply: Reply) -> None:
        for text, seconds in self.pieces:
            reply.speak(tone(seconds), text)
        reply.finish(self.verdict)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_an_answer_that_did_not_come_to_its_end_is_not_reported_as_complete(tmp_path: Path, verdict: Verdict) -> None:
    said = io.StringIO()
    dialogue = Ending(pieces=(("I was", 0.2),), verdict=verdict)
    (report,), _ = command.converse(
        Settings(), ("One",), tmp_path / "talk.mp4", Terminal(said, said), scripted(dialogue)
    )
    whole = verdict in {Verdict.OK, Verdict.NO_AUDIO, Verdict.MUTE}
    assert (report.avatar, report.complete, bool(report.problem)) == ("I was", whole, not whole)


def test_a_recording_without_speech_is_a_turn_without_an_answer(tmp_path: Path) -> None:
    path = tmp_path / "silence.wav"
    soundfile.write(path, np.full(8000, 0.001, np.float32), 16_000)
    said = io.StringIO()
    reports, _ = command.converse(
        Settings(), (path,), tmp_path / "talk.mp4", Terminal(said, said), scripted(ScriptedDialogue())
    )
    assert reports[0].problem == "No speech was heard in the recording."
    assert not reports[0].complete


def test_a_film_that_cannot_be_written_is_refused_before_anything_starts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "nowhere" / "talk.mp4"
    assert cli.main(["converse", "--say", "Hello", "--out", str(out), "--json"]) == 1
    said = capsys.readouterr()
    assert "can't be written" in said.err
    assert json.loads(said.out.splitlines()[-1])["error"]["problem"] == "folder_unwritable"


def test_an_existing_film_survives_a_refused_command(tmp_path: Path) -> None:
    from app.commands.films import refuse_unwritable

    film = tmp_path / "film.mp4"
    film.write_bytes(b"kept")
    refuse_unwritable(film)
    assert film.read_bytes() == b"kept"
    refuse_unwritable(tmp_path / "other.mp4")
    assert not (tmp_path / "other.mp4").exists()
    with pytest.raises(RecordingError):
        refuse_unwritable(tmp_path)


def test_nothing_to_say_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["converse", "--out", str(tmp_path / "x.mp4")]) == 1
    assert "--say" in capsys.readouterr().err
