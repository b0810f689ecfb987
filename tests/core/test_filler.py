"""A busy endpoint is waited for with a word: said once, heard, filmed, and never a part of the answer."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest

from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.dialogue.phrases import ENGLISH, PHRASES, language_of
from core.dialogue.protocol import Message, Verdict
from core.dialogue.services import Local, Service, Services
from core.errors import Problem
from core.events import Failed, Interrupted, Replying, Status, StatusChanged
from tests.core.live_server import speaking
from tests.core.omni_server import Hold, OmniServer, Step, answering, in_turn, tone, voiced
from tests.core.omni_talk import HELLO, PCM, Heard, ask, refused, spoken, talking
from tests.core.test_cancelling import nothing_left
from tests.core.test_realtime import live
from tests.fakes import RATE, until
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from core.media import Samples
    from tests.fakes import ScriptedDialogue

MOMENT = "One moment, please."
SAID = np.full(12_000, 0.25, np.float32)
GERMAN = [Message("user", "", 1), Message("assistant", "Heute ist es schön, und ich gehe mit dir in den Park.", 1)]


def busy(seconds: float | None = None, **body: object) -> list[Step]:
    headers = () if seconds is None else (("retry-after", str(seconds)),)
    return refused(429, headers=headers, **body)


def say(_: str) -> tuple[Samples, int]:
    return SAID, 24_000


HERE = Local(None, say)


# -- what is said, and when


def test_a_busy_endpoint_is_waited_for_with_a_word_and_the_answer_is_whole() -> None:
    with talking(in_turn(busy(0.6), HELLO), local=HERE) as (server, dialogue):
        reply = ask(dialogue)
        assert len(server.turns) == 2
    assert [text for text, _ in reply.asides] == [MOMENT]
    np.testing.assert_array_equal(reply.asides[0][1], SAID)
    assert (reply.text, reply.pcm, reply.verdict) == ("Hello.", PCM, Verdict.OK)


def test_it_is_said_once_however_often_the_endpoint_is_busy() -> None:
    with talking(in_turn(busy(0.6), busy(0.6), HELLO), local=HERE) as (server, dialogue):
        first = ask(dialogue)
        again = ask(dialogue, Heard(number=1))
        assert len(server.turns) == 3
    assert first.error is not None
    assert (first.error.problem, first.error.retry_after_s) == (Problem.ENDPOINT_BUSY, 0.6)
    assert [text for text, _ in first.asides] == [MOMENT]
    assert (again.asides, again.pcm) == ([], PCM)


def test_it_is_said_before_the_countdown_of_an_endpoint_that_is_busy_for_long() -> None:
    with talking(in_turn(busy(8), busy(8), HELLO), local=HERE) as (_, dialogue):
        first, again, other = ask(dialogue), ask(dialogue, Heard(number=1)), ask(dialogue, Heard(number=2))
    assert [[text for text, _ in reply.asides] for reply in (first, again, other)] == [[MOMENT], [], []]
    assert [reply.error and reply.error.retry_after_s for reply in (first, again, other)] == [8.0, 8.0, None]
    assert (first.text, first.samples) == ("", [])


@pytest.mark.parametrize(
    "trouble",
    [
        pytest.param(busy(0.05), id="a moment"),
        pytest.param(busy(code="insufficient_quota"), id="used up"),
        pytest.param(refused(500), id="another trouble"),
    ],
)
def test_where_nobody_waits_long_nothing_is_said(trouble: list[Step]) -> None:
    with talking(in_turn(trouble, HELLO), local=HERE) as (_, dialogue):
        assert ask(dialogue).asides == []


def test_the_request_goes_out_when_the_wait_is_over_and_an_answer_makes_the_word_needless() -> None:
    asked_again = threading.Event()

    def slowly(_: str) -> tuple[Samples, int]:
        assert asked_again.wait(5)
        return SAID, 24_000

    with talking(in_turn(busy(0.6), HELLO), local=Local(None, slowly)) as (server, dialogue):
        reply = Heard()
        dialogue.start(reply.turn, (), reply)
        assert server.wait_until(lambda: len(server.turns) == 2)
        reply.wait()
        asked_again.set()
    assert (reply.asides, reply.pcm, reply.verdict) == ([], PCM, Verdict.OK)


def test_the_answer_never_overtakes_the_word() -> None:
    """The word is being handed over when the answer comes."""
    came = threading.Event()

    class Slow(Heard):
        def aside(self, samples: Samples, text: str) -> bool:
            assert came.wait(5)
            return super().aside(samples, text)

    with talking(in_turn(busy(0.6), HELLO), local=HERE) as (server, dialogue):
        reply = Slow()
        dialogue.start(reply.turn, (), reply)
        assert server.wait_until(lambda: len(server.turns) == 2)
        assert not reply.began.wait(0.1)
        came.set()
        reply.wait()
    assert [text for text, _ in reply.asides] == [MOMENT]
    assert reply.pcm == PCM


def test_where_nobody_here_speaks_the_language_it_is_only_shown() -> None:
    with talking(in_turn(busy(0.6), HELLO), local=HERE) as (_, dialogue):
        ((text, samples),) = ask(dialogue, Heard(number=2), GERMAN).asides
    assert (text, samples.size) == ("Einen Moment, bitte.", 0)


def test_a_speech_service_says_it_in_any_language() -> None:
    with OmniServer(in_turn(()), voice=lambda _: voiced(PCM)) as service:
        services = Services(voice=Service(service.url, "tts"))
        with talking(in_turn(busy(0.6), HELLO), services=services) as (_, dialogue):
            ((text, samples),) = ask(dialogue, Heard(number=2), GERMAN).asides
        assert [asked.body["input"] for asked in service.asked_of("/audio/speech")] == ["Einen Moment, bitte."]
    assert (samples * 32768).astype("<i2").tobytes() == PCM
    assert text == "Einen Moment, bitte."


VOICES = {"busy": busy(0.6), "broken": refused(500), "unpaid": refused(401), "forbidden": refused(403)}


@pytest.mark.parametrize("voice", VOICES)
def test_where_the_voice_is_as_busy_as_the_model_this_computer_says_it(voice: str) -> None:
    with talking(in_turn(busy(0.6), HELLO), local=HERE, voice_of=lambda _: VOICES[voice]) as (server, dialogue):
        reply = ask(dialogue)
        assert (len(server.turns), server.asked_of("/audio/speech")) == (2, [])
    ((_, samples),) = reply.asides
    np.testing.assert_array_equal(samples, SAID)
    assert (reply.pcm, reply.told) == (PCM, [])


def test_a_live_endpoint_that_is_busy_is_waited_for_with_a_word_too() -> None:
    with live(speaking("nested", "Hi.", PCM), refuse=(429, {"retry-after": "8"}, ""), local=HERE) as (_, dialogue):
        reply = ask(dialogue)
    assert [text for text, _ in reply.asides] == [MOMENT]
    assert reply.error is not None
    assert reply.error.retry_after_s == 8.0


def test_a_turn_that_is_cancelled_says_nothing_more_and_leaves_nothing() -> None:
    stalled: list[Step] = [*voiced(PCM), Hold()]
    with OmniServer(in_turn(busy(2), HELLO), (("m", "vllm"),), voice=lambda _: stalled) as server:
        dialogue = OmniDialogue(Endpoint(server.url), local=HERE, services=Services(voice=Service(server.url, "tts")))
        with nothing_left(dialogue, lambda: 0 if server.wait_until(lambda: not server.open_connections) else 1):
            reply = Heard()
            dialogue.start(reply.turn, (), reply)
            assert server.wait_until(lambda: bool(server.asked_of("/audio/speech")))
            reply.turn.cancel()
            dialogue.cancel(reply.turn)
            assert server.wait_until(lambda: server.asked_of("/audio/speech")[0].gone_at is not None)
        assert len(server.turns) == 1
    assert (reply.asides, reply.verdict, reply.error) == ([], None, None)


def test_a_bug_in_the_voice_costs_the_word_and_not_the_answer(expected_log: list[str]) -> None:
    expected_log.append("met a bug")

    def broken(_: str) -> tuple[Samples, int]:
        raise ZeroDivisionError

    with talking(in_turn(busy(0.6), HELLO), local=Local(None, broken)) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.asides, reply.pcm) == ([], PCM)


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_every_language_has_the_word_and_this_computers_voice_knows_which_is_its_own(language: str) -> None:
    assert language_of(PHRASES[language].moment) == language
    assert (PHRASES[language].moment == MOMENT) is (language == ENGLISH)


# -- in a conversation


@contextmanager
def conversing(*scripts: list[Step], local: Local = HERE) -> Iterator[tuple[OmniServer, ConversationRig]]:
    """A conversation over a real endpoint; the time of the conversation is cranked."""
    with OmniServer(in_turn(*scripts), (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url), local=local)
        rig = ConversationRig(dialogue=cast("ScriptedDialogue", dialogue))
        try:
            rig.crank(0.3)
            yield server, rig
        finally:
            rig.session.interrupt()
            rig.crank(0.1)
            dialogue.close()


def whole(text: str, pcm: bytes) -> list[Step]:
    return list(answering(text, pcm)(None))  # type: ignore[arg-type] - it looks at nothing


@pytest.fixture
def busy_rig() -> Iterator[tuple[OmniServer, ConversationRig]]:
    """It is busy once, and then takes its time."""
    answer = whole("Hello there.", tone(1.0, seed=5))
    with conversing(busy(0.6), [*answer[:1], Hold(), *answer[1:]], answer) as talk:
        yield talk


def noted(rig: ConversationRig) -> list[tuple[str, str, int, float | None]]:
    """The lines for the subtitles of a recording: who, words, turn, seconds."""
    lines: list[tuple[str, str, int, float | None]] = []
    rig.session._camera.line = lambda who, text, turn, seconds: lines.append((who, text, turn.number, seconds))  # type: ignore[method-assign]
    return lines


def until_spoken(rig: ConversationRig, what: str = MOMENT) -> None:
    """Until the avatar is heard to say `what`; the dialogue's own threads take real time."""

    def shown() -> bool:
        rig.crank(0.02)
        caption = rig.session.caption()
        return caption is not None and caption.text == what

    until(shown)


def test_the_answer_follows_the_word_whole_and_only_the_answer_is_remembered(
    busy_rig: tuple[OmniServer, ConversationRig],
) -> None:
    server, rig = busy_rig
    lines = noted(rig)
    rig.session.say("Hi.")
    until_spoken(rig)
    assert server.wait_until(lambda: len(server.turns) == 2)
    server.release()
    until(lambda: rig.session.track._length() >= RATE)  # the answer is there while the word still sounds
    caption = rig.session.caption()
    assert caption is not None
    assert caption.text == MOMENT
    until_spoken(rig, "Hello there.")
    rig.crank(2.0)
    question, answer = rig.session.history.entries
    assert (question.text, answer.text, answer.full_text, answer.cut) == ("Hi.", "Hello there.", "", False)
    assert answer.heard_s == pytest.approx(1.0, abs=0.01)
    assert [(text, number) for _, text, number, _ in lines] == [("Hi.", 1), (MOMENT, -1), ("Hello there.", 1)]
    assert MOMENT not in "".join(event.text for event in rig.events.of(Replying))
    rig.session.say("And?")
    rig.crank(0.02)
    assert server.wait_until(lambda: len(server.turns) == 3)
    told = [message["content"] for message in server.turns[-1].body["messages"]]
    assert told == ["Hi.", "Hello there.", "And?"]


def test_every_sample_of_the_word_and_of_the_answer_is_played_in_order(
    busy_rig: tuple[OmniServer, ConversationRig],
) -> None:
    server, rig = busy_rig
    rig.session.say("Hi.")
    until_spoken(rig)
    server.release()
    until(lambda: rig.session.track._length() >= RATE)
    rig.crank(2.5)
    answer = np.frombuffer(tone(1.0, seed=5), "<i2").astype(np.float32) / 32768
    sound = rig.sound
    (first,) = [at for at in range(len(sound)) if abs(sound[at]) > 1e-4][:1]
    np.testing.assert_allclose(sound[first : first + len(SAID)], SAID, atol=1e-3)
    begins = np.argmax(np.correlate(sound, answer[:2000], "valid"))
    assert begins >= first + len(SAID)
    np.testing.assert_allclose(sound[begins : begins + len(answer)], answer, atol=1e-3)


def test_an_interruption_ends_the_word_at_once_and_nothing_was_said(
    busy_rig: tuple[OmniServer, ConversationRig],
) -> None:
    server, rig = busy_rig
    lines = noted(rig)
    rig.session.say("Hi.")
    until_spoken(rig)
    quiet_from = len(rig.sound)
    rig.session.interrupt()
    rig.crank(0.5)
    assert not np.abs(rig.sound[quiet_from + RATE // 10 :]).max() > 0
    assert [entry.role for entry in rig.session.history.entries] == ["user"]
    (cut,) = rig.events.of(Interrupted)
    assert (cut.heard, cut.unheard) == ("", "")
    assert rig.session.caption() is None
    assert all(MOMENT.startswith(text) for who, text, *_ in lines if who != "You")
    assert server.wait_until(lambda: all(turn.gone_at for turn in server.turns[1:]))


def test_a_voice_into_the_word_softens_it_first_and_takes_the_floor_like_one_into_an_answer() -> None:
    rig = ConversationRig()
    rig.dialogue.hold = True
    rig.crank(0.3)
    rig.session.say("Hi.")
    rig.crank(0.1)
    rig.dialogue.replies[0].aside(np.full(3 * RATE, 0.25, np.float32), MOMENT)
    rig.crank(0.5)
    rig.speak(0.2)
    assert rig.session.sound.ducked
    assert not rig.dialogue.cancelled
    rig.speak(0.4)
    assert rig.dialogue.cancelled == [rig.dialogue.started[0]]
    quiet_from = len(rig.sound)
    rig.crank(0.5)
    assert not np.abs(rig.sound[quiet_from + RATE // 10 :]).max() > 0
    assert not rig.session.sound.ducked


def test_a_voice_that_is_nothing_into_the_word_lets_it_come_back() -> None:
    rig = ConversationRig()
    rig.dialogue.hold = True
    rig.crank(0.3)
    rig.session.say("Hi.")
    rig.crank(0.1)
    rig.dialogue.replies[0].aside(np.full(RATE, 0.25, np.float32), MOMENT)
    rig.crank(0.9)
    rig.speak(0.2)
    rig.crank(1.0)
    assert not rig.session.sound.ducked
    assert not rig.dialogue.cancelled


def test_the_countdown_runs_while_the_word_is_still_heard_and_asks_again_by_itself() -> None:
    long = Local(None, lambda _: (np.tile(SAID, 16), 24_000))
    with conversing(busy(4), whole("Now.", tone(0.5, seed=6)), local=long) as (server, rig):
        rig.session.say("Hi.")
        until_spoken(rig)
        until(lambda: rig.crank(0.02) or rig.events.of(StatusChanged)[-1].status is Status.RECONNECTING)
        (failed,) = rig.events.of(Failed)
        assert (failed.problem, failed.retry_after_s) == (Problem.ENDPOINT_BUSY, 4.0)
        rig.crank(4.1)
        assert rig.session.caption() is not None, "eight seconds of a word are cut by nobody but the person"
        assert server.wait_until(lambda: len(server.turns) == 2)
        until_spoken(rig, "Now.")
        rig.crank(1.0)
        assert [entry.text for entry in rig.session.history.entries] == ["Hi.", "Now."]


def test_words_whose_sound_never_came_do_not_stand_in_the_way_of_the_word() -> None:
    rig = ConversationRig()
    rig.dialogue.hold = True
    rig.crank(0.3)
    rig.session.say("Hi.")
    rig.crank(0.1)
    (reply,) = rig.dialogue.replies
    reply.speak(np.zeros(0, np.float32), "Well")
    reply.aside(SAID, MOMENT)
    reply.anew()
    rig.crank(0.3)
    caption = rig.session.caption()
    assert caption is not None
    assert caption.text == MOMENT
    reply.speak(np.full(RATE, 0.25, np.float32), "Now.")
    reply.finish()
    rig.crank(2.5)
    assert [entry.text for entry in rig.session.history.entries] == ["Hi.", "Now."]


def test_a_word_in_writing_is_shown_until_the_answer_begins() -> None:
    rig = ConversationRig()
    rig.dialogue.hold = True
    rig.session.say("Wie geht es dir?")
    rig.crank(0.1)
    (reply,) = rig.dialogue.replies
    reply.aside(np.zeros(0, np.float32), "Einen Moment, bitte.")
    rig.crank(0.1)
    caption = rig.session.caption()
    assert caption is not None
    assert (caption.text, caption.by_user) == ("Einen Moment, bitte.", False)
    reply.speak(np.full(RATE, 0.25, np.float32), "Gut.")
    rig.crank(0.5)
    caption = rig.session.caption()
    assert caption is not None
    assert caption.text == "Gut."


def test_a_word_for_an_answer_that_was_there_when_the_person_had_finished_is_not_said() -> None:
    from core.answer import Aside, Spoke
    from core.draft import Draft
    from core.marks import Marks
    from core.media import SpeechSegment, Turn
    from tests.fakes import ScriptedDialogue

    class Kept:
        def __init__(self) -> None:
            self.segments: list[SpeechSegment] = []

        def put(self, segment: SpeechSegment) -> bool:
            self.segments.append(segment)
            return True

    def draft(*, answered: bool) -> tuple[list[object], list[SpeechSegment]]:
        told: list[object] = []
        sink, dialogue = Kept(), ScriptedDialogue(hold=True)
        made = Draft(Turn(1, spoken()), (), dialogue, told.append, sink, Marks(lambda: 0.0))
        dialogue.replies[0].aside(SAID, MOMENT)
        if answered:
            dialogue.replies[0].speak(SAID, "Hello.")
        made.release()
        return [report for report in told if isinstance(report, Aside | Spoke)], sink.segments

    told, segments = draft(answered=False)
    assert ([type(report) for report in told], [segment.text for segment in segments]) == ([Aside], [MOMENT])
    told, segments = draft(answered=True)
    assert ([type(report) for report in told], [segment.text for segment in segments]) == ([Spoke], ["Hello."])
