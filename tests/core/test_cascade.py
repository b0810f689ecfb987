"""Conversing with a model that only reads and writes: ears and a voice from services, or from this computer."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
import soxr

from core.dialogue import probe
from core.dialogue.aloud import speakable
from core.dialogue.endpoint import Endpoint
from core.dialogue.heard import heard_text, spoken_by
from core.dialogue.protocol import Verdict
from core.dialogue.sentences import SentenceCutter
from core.dialogue.services import Local, Service, Services
from core.errors import Problem
from core.media import AudioChunk
from tests.core.omni_server import (
    DONE,
    Event,
    Head,
    Hold,
    OmniServer,
    Step,
    chunk,
    heard_as,
    in_turn,
    tone,
    voiced,
    wav,
)
from tests.core.omni_talk import FINISH, IMPATIENT, KEY, Heard, ask, refused, spoken, talking

if TYPE_CHECKING:
    from core.media import Samples
    from tests.core.omni_server import Script

OLLAMA = (("qwen3:8b", "library"),)
FIRST, SECOND = tone(0.3, seed=1), tone(0.4, seed=2)


def writing(*words: str) -> list[Step]:
    return [Head(), *(Event(chunk({"content": word})) for word in words), FINISH, DONE]


def by_sentence(sounds: dict[str, bytes], size: int = 4096):
    """A voice that knows these sentences."""
    return lambda asked: voiced(sounds[asked.body["input"]], size)


def local_voice(seconds: float = 0.25) -> tuple[list[str], Local]:
    """A voice of this computer that writes down what it is given."""
    said: list[str] = []

    def say(sentence: str) -> tuple[Samples, int]:
        said.append(sentence)
        return np.full(round(24_000 * seconds), 0.25, np.float32), 24_000

    return said, Local(lambda _: "What was said", say)


@pytest.mark.parametrize("size", [1, 3, 4097, 100_000])
def test_speech_becomes_words_words_an_answer_and_the_answer_speech_sentence_by_sentence(size: int) -> None:
    voice = by_sentence({"Hello there.": FIRST[:960], "How are you?": SECOND[:960]}, size)
    written = writing("Hello", " there. How", " are you?")
    good_morning: Script = lambda _: heard_as("Good morning.")  # noqa: E731 - one line says it
    with talking(in_turn(written), models=OLLAMA, ears=good_morning, voice_of=voice) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken(0.2)))
        (heard,) = server.asked_of("/audio/transcriptions")
        (turn,) = server.turns
    assert (reply.said, reply.text, reply.verdict) == ("Good morning.", "Hello there. How are you?", Verdict.OK)
    assert reply.pcm == FIRST[:960] + SECOND[:960]
    assert b'filename="turn.wav"' in heard.raw
    assert b"RIFF" in heard.raw
    manner, question = turn.body["messages"]
    assert (manner["role"], question) == ("system", {"role": "user", "content": "Good morning."})
    assert "spoken" in manner["content"]
    assert "modalities" not in turn.body
    assert "audio" not in turn.body


def test_the_first_sentence_sounds_while_the_second_is_still_being_written() -> None:
    script = [Head(), Event(chunk({"content": "Hello there. How"})), Hold(), *writing(" are you?")[1:]]
    voice = by_sentence({"Hello there.": FIRST, "How are you?": SECOND})
    with talking(in_turn(script), models=OLLAMA, voice_of=voice) as (server, dialogue):
        reply = Heard("Hi.")
        dialogue.start(reply.turn, (), reply)
        assert reply.began.wait(5)
        assert reply.verdict is None
        server.release()
        assert reply.wait().pcm == FIRST + SECOND


def test_words_lie_over_the_sound_that_says_them() -> None:
    class Kept(Heard):
        def __init__(self) -> None:
            super().__init__()
            self.pieces: list[tuple[str, int]] = []

        def speak(self, samples: Samples, text: str) -> bool:
            self.pieces.append((text, len(samples)))
            return super().speak(samples, text)

    long, short = "One two three four five six seven eight nine ten.", "Eleven."
    voice = by_sentence({long: tone(3.3), short: tone(0.6)})
    with talking(in_turn(writing(long, " ", short)), models=OLLAMA, voice_of=voice) as (_, dialogue):
        reply = ask(dialogue, Kept())
    assert isinstance(reply, Kept)
    assert heard_text(reply.pieces, round(3.3 * 24_000))[0] == long
    assert heard_text(reply.pieces, round(1.7 * 24_000))[0] in long[:30]
    assert heard_text(reply.pieces, round(3.95 * 24_000)) == (f"{long} {short}", "")


def test_where_the_endpoint_has_neither_ears_nor_a_voice_this_computer_serves() -> None:
    said, local = local_voice()
    with talking(in_turn(writing("Yes. And no.")), models=OLLAMA, local=local) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        again = ask(dialogue, Heard("And?", number=2))
        asked = [len(server.asked_of(call)) for call in ("/audio/transcriptions", "/audio/speech")]
    assert (reply.said, reply.text, reply.verdict) == ("What was said", "Yes. And no.", Verdict.OK)
    assert sorted(said) == ["And no.", "And no.", "Yes.", "Yes."]
    assert len(again.pcm) == 2 * 2 * 6000
    assert asked == [1, 2], "two sentences were on their way at once; after that nobody asks again"


def test_without_any_voice_the_answer_is_written() -> None:
    with talking(in_turn(writing("Yes.")), models=OLLAMA) as (_, dialogue):
        reply = ask(dialogue, Heard("Well?"))
    assert (reply.text, reply.pcm, reply.verdict) == ("Yes.", b"", Verdict.NO_AUDIO)


def test_without_any_ears_a_person_is_told_to_type() -> None:
    with talking(in_turn(writing("Yes.")), models=OLLAMA) as (server, dialogue):
        error = ask(dialogue, Heard(spoken())).error
        assert server.turns == []
    assert error is not None
    assert error.problem is Problem.ENDPOINT_REFUSED
    assert "type" in error.advice


def test_speech_without_words_is_asked_for_again_and_not_sent() -> None:
    said, local = local_voice()
    deaf = Local(lambda _: "", local.say)
    with talking(in_turn(writing("Yes.")), models=OLLAMA, local=deaf) as (server, dialogue):
        assert ask(dialogue, Heard(spoken())).verdict is Verdict.OK
        assert server.turns == []
    assert said == ["Sorry, I didn't catch that."]


def test_what_was_understood_in_a_pause_is_not_written_down_again() -> None:
    said = AudioChunk(spoken(1.0).samples, 0)
    whole = AudioChunk(np.concatenate([said.samples, np.zeros(1600, np.float32)]), 0)
    with talking(in_turn(writing("Yes.")), models=OLLAMA, ears=lambda _: heard_as("Well?")) as (server, dialogue):
        ask(dialogue, Heard("Hi."))
        dialogue.anticipate(said)
        assert server.wait_until(lambda: bool(server.asked_of("/audio/transcriptions")))
        assert ask(dialogue, Heard(whole, number=2)).said == "Well?"
        assert len(server.asked_of("/audio/transcriptions")) == 1


def test_services_of_their_own_are_asked_with_their_own_key_and_models() -> None:
    with (
        OmniServer(in_turn(writing("Yes.")), OLLAMA) as words,
        OmniServer(
            in_turn(()),
            (("other", "x"), ("kokoro-82m", "x"), ("whisper-large", "x")),
            ears=lambda _: heard_as("Well?"),
            voice=lambda _: voiced(wav(FIRST, 16_000)),
        ) as speech,
    ):
        services = Services(Service(speech.url, "", "for-speech"), Service(speech.url, "", "for-speech"))
        with talking(in_turn(()), url=words.url, key=KEY, voice="af_heart", services=services) as (_, dialogue):
            reply = ask(dialogue, Heard(spoken()))
        (said,), (heard,) = speech.asked_of("/audio/speech"), speech.asked_of("/audio/transcriptions")
        assert all(KEY not in str(asked.headers) for asked in speech.asked)
        assert all("for-speech" not in str(asked.headers) for asked in words.asked)
    assert len(reply.pcm) == pytest.approx(len(FIRST) * 1.5, abs=8)
    assert (said.body["model"], said.body["voice"]) == ("kokoro-82m", "af_heart")
    assert b"whisper-large" in heard.raw
    assert said.headers["authorization"] == "Bearer for-speech"


def test_the_rate_that_a_voice_states_is_believed() -> None:
    with (
        OmniServer(
            in_turn(writing("Yes.")), OLLAMA, voice=lambda _: voiced(FIRST, 999, ("x-sample-rate", "48000"))
        ) as server,
        talking(in_turn(()), url=server.url) as (_, dialogue),
    ):
        assert len(ask(dialogue).pcm) == pytest.approx(len(FIRST) / 2, abs=8)


@pytest.mark.parametrize("rate", ["0", "1", "3999", "384001", "9" * 5000], ids=lambda rate: rate[:9])
def test_a_rate_that_no_sound_has_is_not_believed(rate: str) -> None:
    voice = voiced(FIRST, 999, ("x-sample-rate", rate))
    with talking(in_turn(writing("Yes.")), models=OLLAMA, voice_of=lambda _: voice) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.pcm, reply.told) == (FIRST, [])


@pytest.mark.parametrize("size", [1, 999])
def test_raw_sound_of_two_channels_and_another_rate_is_what_its_headers_say(size: int) -> None:
    left = np.frombuffer(tone(0.2, 44_100), "<i2")
    both = np.stack([left, left], axis=1).tobytes()
    headers = (("x-sample-rate", "44100"), ("x-channels", "2"), ("x-bit-depth", "16"))
    with talking(in_turn(writing("Yes.")), models=OLLAMA, voice_of=lambda _: voiced(both, size, *headers)) as (_, talk):
        reply = ask(talk)
    assert len(reply.pcm) // 2 == pytest.approx(0.2 * 24_000, abs=4)
    whole = soxr.resample(left.astype(np.float32) / 32768, 44_100, 24_000)
    heard = np.concatenate(reply.samples)
    np.testing.assert_allclose(heard, whole[: len(heard)], atol=2e-3)


def test_raw_sound_of_24_bits_is_no_noise_but_trouble() -> None:
    voice = voiced(FIRST, 999, ("x-bit-depth", "24"))
    with talking(in_turn(writing("Yes.")), models=OLLAMA, voice_of=lambda _: voice) as (_, dialogue):
        reply = ask(dialogue)
    (told,) = reply.told
    assert (told.problem, reply.text, reply.pcm) == (Problem.ENDPOINT_REFUSED, "Yes.", b"")


def test_a_voice_that_stalls_is_not_waited_for_for_ever() -> None:
    stalled: list[Step] = [*voiced(FIRST[:960])[:2], Hold()]
    with talking(in_turn(writing("Yes.")), IMPATIENT, models=OLLAMA, voice_of=lambda _: stalled) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.error, len(reply.told)) == ("Yes.", None, 1)


def test_cancelling_closes_every_connection_of_the_turn() -> None:
    script = [Head(), Event(chunk({"content": "Hello there. How are you? And so"})), Hold()]
    stalled: list[Step] = [*voiced(FIRST), Hold()]
    with talking(in_turn(script), models=OLLAMA, voice_of=lambda _: stalled) as (server, dialogue):
        reply = Heard("Hi.")
        dialogue.start(reply.turn, (), reply)
        assert server.wait_until(lambda: len(server.asked_of("/audio/speech")) == 2)
        asked = [*server.turns, *server.asked_of("/audio/speech")]
        reply.turn.cancel()
        dialogue.cancel(reply.turn)
        assert server.wait_until(lambda: all(one.gone_at is not None for one in asked))
    assert (reply.verdict, reply.error) == (None, None)


def test_an_omni_endpoint_without_a_speech_stage_is_read_aloud_and_after_two_turns_as_the_words_come() -> None:
    said, local = local_voice()
    with talking(in_turn(writing("First. Second.")), local=local) as (server, dialogue):
        replies = [ask(dialogue, Heard(number=number)) for number in range(3)]
        asked = [turn.body["modalities"] for turn in server.turns]
    assert [reply.verdict for reply in replies] == [Verdict.NO_AUDIO, Verdict.MUTE, Verdict.OK]
    assert all(len(reply.pcm) == 2 * 2 * 6000 for reply in replies)
    assert asked == [["text", "audio"], ["text", "audio"], ["text"]]
    assert sorted(said) == ["First."] * 3 + ["Second."] * 3


@pytest.mark.parametrize(
    "no",
    [
        refused(400, "Speech is not supported for omni models"),
        [Head(200, body={"error": "Unexpected endpoint or method."})],
        [Head(200, body="<html>")],
    ],
)
def test_an_endpoint_that_refuses_to_hear_or_speak_in_its_own_way_is_helped_all_the_same(no: list[Step]) -> None:
    said, local = local_voice()
    answers = in_turn(writing("Yes."))
    with talking(answers, models=OLLAMA, local=local, ears=lambda _: no, voice_of=lambda _: no) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    assert (reply.said, said, reply.verdict) == ("What was said", ["Yes."], Verdict.OK)


def test_an_answer_in_writing_is_not_lost_when_nobody_can_say_it() -> None:
    with talking(in_turn(writing("Yes.")), voice_of=lambda _: refused(500)) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.verdict) == ("Yes.", Verdict.NO_AUDIO)


def test_a_server_that_says_it_cannot_hear_is_given_words_from_then_on() -> None:
    no = refused(500, "audio input is not supported - hint: if this is unexpected, provide the mmproj")
    _, local = local_voice()
    with talking(in_turn(no, writing("Yes.")), models=(("omni", "llamacpp"),), local=local) as (server, dialogue):
        assert ask(dialogue, Heard(spoken())).said == "What was said"
        assert server.turns[-1].body["messages"][-1]["content"] == "What was said"


def test_a_filtered_turn_is_answered_with_an_apology_where_there_is_a_voice() -> None:
    said, local = local_voice()
    with talking(in_turn(refused(400, "No.", code="data_inspection_failed")), local=local) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.verdict, reply.text) == (Verdict.FILTERED, "I'm sorry, I can't answer that.")
    assert said == [reply.text]


def test_the_test_of_settings_says_whose_voice_is_heard() -> None:
    _, local = local_voice()
    with OmniServer(in_turn(writing("Yes.")), OLLAMA) as server:
        here = probe.try_endpoint(Endpoint(server.url), local=local)
        nobody = probe.try_endpoint(Endpoint(server.url))
    with OmniServer(in_turn(writing("Yes.")), OLLAMA, voice=lambda _: voiced(FIRST)) as server:
        service = probe.try_endpoint(Endpoint(server.url), local=local)
    assert [report.voice_from for report in (here, nobody, service)] == ["here", "nobody", "service"]
    assert not any(report.with_sound or report.hears for report in (here, nobody, service))


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("**Yes**, _of course_ `now`", "Yes, of course now"),
        ("## A heading", "A heading"),
        ("- an entry", "an entry"),
        ("1. an entry", "an entry"),
        ("See [the page](https://example.org/a_b).", "See the page."),
        ("Well done 🎉!", "Well done !"),
        ("snake_case and 3 * 4", "snake_case and 3 4"),
    ],
)
def test_marks_for_the_eye_are_not_said(written: str, said: str) -> None:
    assert speakable(written) == said


def test_a_list_is_said_entry_by_entry() -> None:
    said, local = local_voice()
    with talking(in_turn(writing("Buy:\n- mil", "k\n- bread\n")), models=OLLAMA, local=local) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, sorted(said)) == ("Buy: milk bread", ["Buy:", "bread", "milk"])


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_what_a_model_thinks_to_itself_is_neither_said_nor_written(size: int) -> None:
    text = "<think>The person\nwants. A < b.</think>Yes. 1 < 2 <this> is said.<think>And"
    said, local = local_voice()
    words = [text[at : at + size] for at in range(0, len(text), size)]
    with talking(in_turn(writing(*words)), models=OLLAMA, local=local) as (_, dialogue):
        reply = ask(dialogue)
    assert reply.text == "Yes. 1 < 2 <this> is said."
    assert sorted(said) == ["1 < 2 <this> is said.", "Yes."]


def test_sentences_of_scripts_without_spaces_are_cut_at_their_own_marks() -> None:
    cutter = SentenceCutter()
    assert cutter.feed("你好。今天天") == ["你好。"]
    assert cutter.feed("气很好！“真的") == ["今天天气很好！"]
    assert cutter.rest() == "“真的"


def test_ordinary_speech_has_said_whole_words_after_a_time() -> None:
    text = "One two three four five six seven."
    assert spoken_by(text, 0.0) == 0
    assert spoken_by(text, 100.0) == len(text)
    for tenths in range(30):
        said = spoken_by(text, tenths / 10)
        assert said in (0, len(text)) or text[said] == " "


def local_that_waits(gate: threading.Event) -> Local:
    def transcribe(_: AudioChunk) -> str:
        assert gate.wait(5)
        return "Well?"

    return Local(transcribe)


def test_a_turn_cancelled_while_it_is_still_being_written_down_asks_nobody() -> None:
    gate = threading.Event()
    with talking(in_turn(writing("Yes.")), models=OLLAMA, local=local_that_waits(gate)) as (server, dialogue):
        reply = Heard(spoken())
        dialogue.start(reply.turn, (), reply)
        assert server.wait_until(lambda: bool(server.asked_of("/audio/transcriptions")))
        reply.turn.cancel()
        dialogue.cancel(reply.turn)
        gate.set()
        assert ask(dialogue, Heard("Hi.", number=2)).text == "Yes."
        assert len(server.turns) == 1
