"""The built-in companion as a conversation meets it: real models, a real voice, its own thread."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.dialogue import composer
from core.dialogue.embedded import EmbeddedDialogue
from core.dialogue.language import FILE, LanguageModel, Manner
from core.dialogue.protocol import Message, Verdict
from core.dialogue.recognizer import Recognizer
from core.dialogue.same_speech import same_speech
from core.errors import Problem
from core.media import CAPTURE_RATE, MEDIA_RATE, AudioChunk, Turn
from core.settings import models_folder
from tests.core.companion import LIMIT_S, NOON, KeptReply, exchange, needs_flite, needs_models, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from core.dialogue.recognizer import Heard
    from core.media import Samples


@pytest.fixture(scope="module")
def companion() -> Iterator[EmbeddedDialogue]:
    dialogue = EmbeddedDialogue(models_folder(), "Amara", lambda: NOON)
    yield dialogue
    dialogue.close()


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[EmbeddedDialogue]:
    """A companion without any model."""
    dialogue = EmbeddedDialogue(tmp_path, "Amara", lambda: NOON)
    yield dialogue
    dialogue.close()


@needs_flite
def test_it_greets_by_name_and_voice_before_any_model_is_there(bare: EmbeddedDialogue) -> None:
    reply = exchange(bare, None)
    assert reply.text.startswith("Hello, I'm Amara.")
    assert reply.samples > 2 * MEDIA_RATE
    assert reply.verdict is Verdict.OK


@needs_flite
def test_it_welcomes_back_whom_it_knows(bare: EmbeddedDialogue) -> None:
    reply = exchange(
        bare, None, [Message("user", "My name is Peter."), Message("assistant", "Nice to meet you, Peter.")]
    )
    assert reply.text == "Welcome back, Peter."


@needs_flite
def test_without_models_typed_text_still_gets_an_answer(bare: EmbeddedDialogue) -> None:
    assert exchange(bare, "What time is it?").text == "It's 12:34."
    assert "make models" in exchange(bare, "Why is grass green?").text


@needs_flite
def test_without_its_recogniser_it_names_the_command_that_brings_it(bare: EmbeddedDialogue) -> None:
    reply = exchange(bare, spoken("Hello there."))
    assert "make models" in reply.text
    assert "user_said" not in reply.calls


def test_without_a_voice_it_answers_in_writing_and_says_once_how_it_gets_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    dialogue = EmbeddedDialogue(tmp_path, "Amara", lambda: NOON)
    first, second = exchange(dialogue, "What is 6 times 7?"), exchange(dialogue, "What is 6 times 7?")
    dialogue.close()
    assert first.text.startswith("That's 42. I have no voice here, so I answer in writing.")
    assert "sudo apt install flite" in first.text
    assert "make run" in first.text
    assert (second.text, second.samples, second.verdict) == ("That's 42.", 0, Verdict.NO_AUDIO)
    assert (first.samples, first.verdict) == (0, Verdict.NO_AUDIO)


@needs_flite
def test_a_voice_that_was_installed_meanwhile_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        dialogue = EmbeddedDialogue(tmp_path, "Amara", lambda: NOON)
        exchange(dialogue, "What is 6 times 7?")
    reply = exchange(dialogue, "What is 6 times 7?")
    dialogue.close()
    assert reply.verdict is Verdict.OK


@needs_flite
def test_damaged_models_are_named_with_the_command_that_renews_them(tmp_path: Path) -> None:
    for path in ("moonshine/tokenizer.bin", "moonshine/encoder_model.ort", "moonshine/decoder_model_merged.ort"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(b"\x01a")
    (tmp_path / "smollm2").mkdir()
    (tmp_path / "smollm2" / FILE).write_bytes(b"no model")
    dialogue = EmbeddedDialogue(tmp_path, "Amara", lambda: NOON)
    deaf, wordless = exchange(dialogue, spoken("Hello.")), exchange(dialogue, "Why is grass green?")
    dialogue.close()
    for reply in (deaf, wordless):
        assert "model is damaged" in reply.text
        assert "livetalk models fetch" in reply.text


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeak_speaks_where_flite_cannot_be_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "espeak-ng").symlink_to(shutil.which("espeak-ng") or "")
    monkeypatch.setenv("PATH", str(tmp_path))
    dialogue = EmbeddedDialogue(tmp_path, "Amara", lambda: NOON)
    reply = exchange(dialogue, "What is 6 times 7?")
    dialogue.close()
    assert reply.samples > MEDIA_RATE // 4
    assert reply.verdict is Verdict.OK


@needs_models
@needs_flite
def test_a_spoken_question_is_understood_and_answered(companion: EmbeddedDialogue) -> None:
    reply = exchange(companion, spoken("What time is it?"))
    assert reply.words == "What time is it?"
    assert reply.text == "It's 12:34."
    assert reply.calls == ["user_said", "speak", "finish"]


@needs_models
@needs_flite
def test_words_recognised_in_the_pause_are_not_recognised_again(
    companion: EmbeddedDialogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[int] = []
    recognise = Recognizer.__call__

    def counted(self: Recognizer, speech: Samples, *rest: object) -> Heard:
        heard.append(len(speech))
        return recognise(self, speech, *rest)  # type: ignore[arg-type] # handed on as it came

    monkeypatch.setattr(Recognizer, "__call__", counted)
    speech = spoken("What is seven times eight?", start=5000)
    longer = AudioChunk(np.pad(speech.samples, (0, CAPTURE_RATE // 3)), 5000)
    exchange(companion, "Hello.")  # everything is loaded when this is answered
    heard.clear()
    companion.anticipate(speech)
    reply = exchange(companion, longer)
    assert reply.text == "That's 56."
    assert heard.count(len(speech.samples)) == 1
    assert len(longer.samples) not in heard


@needs_models
@needs_flite
def test_speech_that_went_on_after_the_pause_is_heard_whole(companion: EmbeddedDialogue) -> None:
    companion.anticipate(spoken("What is seven times eight?"))
    assert exchange(companion, spoken("What is seven times eight plus one?")).text == "That's 57."


@needs_models
@needs_flite
def test_noise_is_not_taken_for_words_and_is_answered_in_turns(companion: EmbeddedDialogue) -> None:
    noise = np.random.default_rng(0).normal(size=2 * CAPTURE_RATE).astype(np.float32) * 0.02
    first = exchange(companion, AudioChunk(noise, 0))
    second = exchange(companion, AudioChunk(noise * 0, 0))
    assert first.text == "I didn't catch that."
    assert second.text not in ("", first.text)
    assert "user_said" not in first.calls + second.calls


@needs_models
@needs_flite
def test_the_same_conversation_gets_the_same_answer(companion: EmbeddedDialogue) -> None:
    history = [Message("user", "I have a brother."), Message("assistant", "I see. What is your brother like?")]
    first = exchange(companion, "He plays the trumpet in a band.", history)
    again = exchange(companion, "He plays the trumpet in a band.", history)
    assert first.text == again.text
    assert len(first.text.split()) > 2


@needs_models
@needs_flite
def test_what_the_model_says_is_short_plain_and_about_the_question(companion: EmbeddedDialogue) -> None:
    reply = exchange(companion, "What is the capital of France?")
    assert "Paris" in reply.text
    assert len(reply.text.split()) < 40
    assert not set(reply.text) & set("*#_`\n")
    assert reply.samples > MEDIA_RATE


@needs_models
@needs_flite
def test_a_cancelled_answer_falls_silent_at_once(companion: EmbeddedDialogue) -> None:
    reply = exchange(companion, "What is this app?", cancel_after=1)
    later = exchange(companion, "What time is it?")
    assert later.text == "It's 12:34."
    assert reply.calls == ["speak"]


@needs_flite
def test_a_turn_cancelled_before_it_was_begun_is_never_answered(bare: EmbeddedDialogue) -> None:
    reply = KeptReply(Turn(1, "Hello."))
    reply.turn.cancel()
    bare.start(reply.turn, [], reply)
    bare.cancel(reply.turn)
    exchange(bare, "Hello.")
    assert reply.calls == []


@needs_flite
def test_pieces_put_together_are_the_whole_answer(bare: EmbeddedDialogue) -> None:
    reply = exchange(bare, "What is this app?")
    assert reply.calls.count("speak") == 3
    assert ".  " not in reply.text
    assert reply.text.startswith("This is LiveTalk, an app to talk with a living picture. By itself it uses me,")


def test_closing_while_it_loads_ends_its_thread() -> None:
    before = threading.active_count()
    dialogue = EmbeddedDialogue(models_folder(), "Amara", lambda: NOON)
    dialogue.close()
    assert threading.active_count() == before


class Breaking:
    """`sentences`, and a bug each time `broken` is set."""

    def __init__(self) -> None:
        self.broken = True

    def __call__(self, text: str) -> list[str]:
        if self.broken:
            raise ValueError(f"a bug about: {text}")
        return [text]


@needs_flite
def test_a_bug_fails_its_turn_is_logged_without_words_and_the_next_turn_is_answered(
    bare: EmbeddedDialogue, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    breaking = Breaking()
    monkeypatch.setattr(composer, "sentences", breaking)
    failed = exchange(bare, "What is 6 times 7?")
    breaking.broken = False
    assert failed.error is not None
    assert (failed.error.problem, failed.error.title) == (Problem.UNEXPECTED, "Something went wrong while answering.")
    assert exchange(bare, "What is 6 times 7?").text == "That's 42."
    assert "Traceback" in caplog.text
    assert "ValueError" in caplog.text
    assert "42" not in caplog.text + failed.error.detail


@needs_flite
def test_only_three_bugs_in_a_row_make_it_say_that_it_cannot_answer(
    bare: EmbeddedDialogue, monkeypatch: pytest.MonkeyPatch, expected_log: list[str]
) -> None:
    expected_log.append("met a bug")
    breaking = Breaking()
    monkeypatch.setattr(composer, "sentences", breaking)
    titles: list[str] = []
    for broken in (True, True, False, True, True, True, False):
        breaking.broken = broken
        reply = exchange(bare, "Hello.")
        titles.append(reply.error.title if reply.error else "")
    wrong, lost = "Something went wrong while answering.", "The built-in companion can't answer."
    assert titles == [wrong, wrong, "", wrong, wrong, lost, ""]


@needs_models
@needs_flite
def test_a_bug_while_thinking_ahead_costs_no_turn_and_the_ears_are_made_anew(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made: list[Recognizer] = []
    make = Recognizer.__init__
    failing = threading.Event()

    def making(self: Recognizer, folder: Path) -> None:
        make(self, folder)
        made.append(self)

    def fail(self: Recognizer, *_: object) -> Heard:
        failing.set()
        raise ZeroDivisionError

    dialogue = EmbeddedDialogue(models_folder(), "Amara", lambda: NOON)
    monkeypatch.setattr(Recognizer, "__init__", making)
    exchange(dialogue, spoken("Hello."))
    with monkeypatch.context() as patch:
        patch.setattr(Recognizer, "_decode", fail)
        dialogue.anticipate(spoken("What is seven times eight?"))
        assert failing.wait(LIMIT_S)
    reply = exchange(dialogue, spoken("What is seven times eight?"))
    dialogue.close()
    assert reply.text == "That's 56."
    assert len(made) == 2
    assert "ZeroDivisionError" in caplog.text


@needs_models
def test_a_bug_of_whoever_hears_the_models_words_is_not_swallowed() -> None:
    model = LanguageModel(models_folder() / "smollm2")
    with pytest.raises(ZeroDivisionError):
        model.answer(Manner.CHAT, [Message("user", "I went swimming.")], "", lambda _: bool(1 / 0))


@needs_flite
def test_it_takes_another_name_and_voice_with_the_next_turn_and_keeps_its_models(bare: EmbeddedDialogue) -> None:
    before = exchange(bare, None)
    able = bare._able
    bare.introduce("Bruno", "slt")
    after = exchange(bare, None)
    assert (before.text.split(".")[0], after.text.split(".")[0]) == ("Hello, I'm Amara", "Hello, I'm Bruno")
    assert bare._able is able
    bare.introduce("Amara", "slt")
    assert exchange(bare, None).samples != before.samples


@needs_flite
def test_what_was_ready_in_another_voice_is_not_said(bare: EmbeddedDialogue) -> None:
    exchange(bare, "Hello.")
    bare._mouth.prepare("That's 42.")
    as_rms = exchange(bare, "What is 6 times 7?").samples
    bare._mouth.prepare("That's 42.")
    bare.introduce("Amara", "slt")
    assert exchange(bare, "What is 6 times 7?").samples != as_rms


@needs_flite
def test_speech_whose_words_nobody_knows_is_not_repeated_as_words(bare: EmbeddedDialogue) -> None:
    reply = exchange(bare, "What did I just say?", [Message("user", "It rains."), Message("user", "")])
    assert "It rains" in reply.text


def test_speech_is_the_same_when_only_silence_follows() -> None:
    sound = np.sin(np.arange(8000, dtype=np.float32) * 0.1)
    quiet = np.full(4000, 0.001, np.float32)
    first = AudioChunk(sound, 100)
    assert same_speech(first, AudioChunk(np.concatenate([sound, quiet]), 100))
    assert same_speech(AudioChunk(np.concatenate([sound, quiet]), 100), first)
    assert not same_speech(first, AudioChunk(np.concatenate([sound, sound]), 100))
    assert not same_speech(first, AudioChunk(sound, 101))
    assert not same_speech(first, AudioChunk(sound[::-1].copy(), 100))
