"""The parts of the commands: settings of a run, films and stills, and what the bench measures with."""

from __future__ import annotations

import argparse
import io
from typing import TYPE_CHECKING

import numpy as np
import pytest

from app.cli import parser
from app.commands import bench, bench_long, bench_step, bench_window
from app.commands.choices import chosen_settings, with_options
from app.commands.contact_sheet import contact_sheet
from app.commands.drawn_by import about_picture
from app.commands.painting import LEVELS, PaintingPerformer, level_heard, level_seen, levelled
from app.commands.terminal import Terminal
from core.media import MediaFormat, SpeechBlock
from core.performer.livetalk.spec import LIVETALK_1_3B, LOW
from core.performer.protocol import PerformerSpec
from core.playback.mp4 import Mp4Writer
from core.settings import Settings, changed, save, settings_path

if TYPE_CHECKING:
    from pathlib import Path


def options(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**given)


def test_the_command_line_overrules_the_environment_which_overrules_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    save(changed(Settings(), "dialogue", url="http://file", model="file", voice="file"), settings_path())
    monkeypatch.setenv("LIVETALK_ENDPOINT", "http://environment")
    monkeypatch.setenv("LIVETALK_MODEL", "environment")
    quiet = Terminal(io.StringIO(), io.StringIO())
    dialogue = chosen_settings(options(endpoint="http://line"), quiet).dialogue
    assert (dialogue.url, dialogue.model, dialogue.voice) == ("http://line", "environment", "file")


def test_settings_that_cannot_be_read_are_told_of_and_left_alone() -> None:
    settings_path().parent.mkdir(parents=True)
    settings_path().write_text("schema = ]", "utf-8")
    err = io.StringIO()
    assert chosen_settings(options(), Terminal(io.StringIO(), err)) == Settings()
    assert "could not be read" in err.getvalue()
    assert settings_path().read_text("utf-8") == "schema = ]"


def test_an_endpoint_on_the_command_line_is_used_even_when_the_companion_was_chosen() -> None:
    settings = with_options(changed(Settings(), "dialogue", use_endpoint=False), options(endpoint="http://here"))
    assert settings.dialogue.use_endpoint


def test_a_picture_is_named_by_its_absolute_path_and_a_shipped_one_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "me.png").touch()
    monkeypatch.chdir(tmp_path)
    assert with_options(Settings(), options(avatar="me.png")).avatar.portrait == str(tmp_path / "me.png")
    assert with_options(Settings(), options(avatar="mei")).avatar.portrait == "mei"


@pytest.mark.parametrize("before", [[], ["converse", "--out=o.mp4"], ["render", "--avatar=a", "--audio=a", "--out=o"]])
def test_a_preset_on_the_command_line_is_one_that_there_is(
    before: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert with_options(Settings(), parser().parse_args([*before, "--preset", "low"])).avatar.preset == "low"
    with pytest.raises(SystemExit):
        parser().parse_args([*before, "--preset", "lightning"])
    assert "there is no preset called “lightning”; there are auto, quality, fast" in capsys.readouterr().err


def test_a_command_says_how_the_picture_is_drawn_and_what_it_does_not_follow() -> None:
    spec = LIVETALK_1_3B.performer_spec(LOW)
    lively = changed(Settings(), "avatar", motion_amount=0.9).avatar
    assert about_picture(spec, Settings().avatar) == ["Drawn by livetalk-1.3b, preset low, Small decoder (TAEHV)"]
    assert about_picture(spec, lively)[1].startswith("The amount of motion in your settings is not followed")
    portrait = PerformerSpec.plain("portrait", MediaFormat(), 512, 12)
    assert about_picture(portrait, lively) == []


def test_a_contact_sheet_shows_the_film_in_the_order_of_time(tmp_path: Path) -> None:
    media = MediaFormat()
    writer = Mp4Writer(tmp_path / "film.mp4", media, 64, 64)
    for index in range(50):
        writer.picture(np.full((64, 64, 3), 20 + 4 * index, np.uint8), index * media.samples_per_frame)
        writer.sound(np.zeros(media.samples_per_frame, np.float32))
    writer.close()
    sheet = np.asarray(contact_sheet(tmp_path / "film.mp4", 8).convert("L"))
    assert sheet.shape == (2 * 256 + 4, 4 * 256 + 12)
    stills = [int(sheet[row * 260 + 128, column * 260 + 128]) for row in range(2) for column in range(4)]
    assert stills == sorted(stills)
    assert stills[0] < 45
    assert stills[-1] > 195


def test_what_the_painting_performer_shows_is_the_level_it_was_given() -> None:
    samples = levelled(LEVELS)
    performer = PaintingPerformer()
    performance = performer.open(performer.prepare(np.zeros((1, 1, 3), np.uint8)), 0)
    length = performance.next_frames * performer.spec.samples_per_frame
    frames = performance.draw(performance.imagine(SpeechBlock(None, samples[:length], np.zeros(0, np.float32)))).wait()
    assert [level_seen(frame) for frame in frames] == list(range(1, 13))
    assert [level_heard(piece) for piece in samples[:length].reshape(12, -1)] == list(range(1, 13))


def test_the_bench_finds_sound_and_picture_in_step_and_interruptions_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_step, "STEP_S", 3.0)
    monkeypatch.setattr(bench_step, "INTERRUPTIONS", 1)
    figures = bench_step.measure_step(Terminal(io.StringIO(), io.StringIO()))
    assert figures["frames_matched"] > 60
    assert abs(figures["lag_p50_ms"]) < 40
    assert figures["barge_in_silent_worst_ms"] < 150
    assert figures["barge_in_listening_worst_ms"] < 500


def test_the_bench_notices_pictures_that_are_late() -> None:
    tape = bench_step.Tape(began=100.0)
    tape.take(levelled(20))
    seen = [bench_step.Seen(level, 100.0 + 0.04 * (level - 1) + 0.1) for level in range(1, 20)]
    found = bench_step.in_step(tape, seen)
    assert found.lags == pytest.approx([100.0] * 19, abs=0.1)
    assert found.faults == 0


def test_pictures_a_second_late_or_without_a_sound_are_faults() -> None:
    tape = bench_step.Tape(began=100.0)
    tape.take(levelled(20))
    in_time, too_late = bench_step.Seen(3, 100.08), bench_step.Seen(4, 101.5)
    without_sound, silent = bench_step.Seen(40, 100.5), bench_step.Seen(0, 100.6)
    found = bench_step.in_step(tape, [in_time, too_late, without_sound, silent])
    assert found.lags == pytest.approx([0.0], abs=0.1)
    assert found.figures()["faults"] == 2
    assert found.figures()["within_40_ms_percent"] == pytest.approx(100 / 3)


def test_what_a_tape_forgets_moves_no_moment() -> None:
    tape = bench_step.Tape(began=100.0)
    tape.take(levelled(25))
    tape.forget()
    tape.take(levelled(20))
    found = bench_step.in_step(tape, [bench_step.Seen(level, 101.0 + 0.04 * (level - 1)) for level in range(1, 20)])
    assert found.lags == pytest.approx([0.0] * 19, abs=0.1)


def test_a_long_conversation_is_compared_minute_by_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench_long, "ROUND_S", 1.5)
    monkeypatch.setattr(bench_long, "ROUNDS", 1)
    figures = bench_long.measure_long(2, Terminal(io.StringIO(), io.StringIO()))
    assert figures["faults"] <= 3, "a busy machine may tear the sound now and then"
    assert figures["first_minute_frames_matched"] > 25
    assert figures["last_minute_frames_matched"] > 25
    assert abs(figures["drift_ms"]) < 40
    assert figures["last_minute_rss_mb"] - figures["first_minute_rss_mb"] == figures["rss_growth_mb"]


def test_a_window_is_not_measured_where_there_is_no_screen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("sys.platform", "linux")
    figures = bench_window.measure_window(Settings(), tmp_path, Terminal(io.StringIO(), io.StringIO()))
    assert figures == {"skipped": "there is no screen"}


def test_the_machine_is_described() -> None:
    described = bench.describe_machine()
    assert int(described["cores"]) > 0
    assert described["processor"]


def test_a_long_conversation_is_measured_alone() -> None:
    options = parser().parse_args(["bench", "--long", "30"])
    assert (options.long, options.only) == (30, None)
    for wrong in (["--long", "0"], ["--long", "soon"], ["--long", "3", "--only", "window"]):
        with pytest.raises(SystemExit):
            parser().parse_args(["bench", *wrong])
