"""A speech service that fails: this computer serves in its place, which is said once, and no answer is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from core.dialogue import probe
from core.dialogue.endpoint import Endpoint
from core.dialogue.protocol import Verdict
from core.dialogue.services import Local, Service, Services
from core.errors import Problem, ServerError
from core.events import Failed, Replying
from tests.core.omni_server import DONE, Event, Head, Hold, OmniServer, Raw, Step, chunk, heard_as, in_turn, voiced
from tests.core.omni_talk import FINISH, HELLO, IMPATIENT, KEY, PCM, Heard, ask, refused, spoken, talking
from tests.core.test_languages import EARLIER, GERMAN
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from core.media import Samples

LLAMA = (("llama", "library"),)
HERE = np.full(6_000, 0.25, np.float32)
HERE_PCM = (HERE * 32768).astype("<i2").tobytes()
NOWHERE = "http://127.0.0.1:1/v1"


MP3 = Raw(b"ID3\x04 compressed")


def writing(*words: str) -> list[Step]:
    return [Head(), *(Event(chunk({"content": word})) for word in words), FINISH, DONE]


def say(_: str) -> tuple[Samples, int]:
    return HERE, 24_000


LOCAL = Local(lambda _: "What was said", say)


@pytest.mark.parametrize(
    "voice",
    [
        refused(401),
        refused(429),
        refused(500),
        refused(503),
        [Head(200, (("content-type", "audio/mpeg"),)), Raw(b"ID3\x04")],
    ],
    ids=["401", "429", "500", "503", "mp3"],
)
def test_where_the_voice_fails_this_computer_reads_the_answer_and_the_model_is_asked_once(voice: list[Step]) -> None:
    with talking(in_turn(writing("Yes. No.")), models=LLAMA, local=LOCAL, voice_of=lambda _: voice) as (
        server,
        dialogue,
    ):
        reply = ask(dialogue)
        again = ask(dialogue, Heard("And?", 2))
        assert len(server.turns) == 2
    for one in (reply, again):
        assert (one.text, one.pcm, one.verdict, one.error) == ("Yes. No.", 2 * HERE_PCM, Verdict.OK, None)
    assert len(reply.told) == 1
    assert "English only" in reply.told[0].advice
    assert again.told == [], "it is said once"


def test_a_voice_that_is_not_there_is_not_asked_for_every_sentence() -> None:
    services = Services(voice=Service(NOWHERE, "tts"))
    with talking(in_turn(writing("Yes. No.")), models=LLAMA, local=LOCAL, services=services) as (server, dialogue):
        reply = ask(dialogue)
        assert len(server.turns) == 1
    assert (reply.pcm, reply.verdict) == (2 * HERE_PCM, Verdict.OK)
    assert len(reply.told) == 1
    assert reply.told[0].title == "The speech service could not be reached."


def test_where_nobody_can_speak_for_it_the_answer_is_shown() -> None:
    with talking(in_turn(writing("Yes. No.")), models=LLAMA, voice_of=lambda _: refused(503)) as (server, dialogue):
        reply = ask(dialogue)
        assert len(server.turns) == 1
    assert (reply.text, reply.pcm, reply.verdict, reply.error) == ("Yes. No.", b"", Verdict.NO_AUDIO, None)
    assert len(reply.told) == 1
    assert "writing" in reply.told[0].advice


def test_an_answer_in_another_language_is_shown_where_only_the_voice_of_this_computer_is_left() -> None:
    with talking(in_turn(writing(GERMAN)), models=LLAMA, local=LOCAL, voice_of=lambda _: refused(503)) as (_, dialogue):
        reply = ask(dialogue)
    assert (reply.text, reply.pcm, reply.verdict) == (GERMAN, b"", Verdict.NO_AUDIO)


def test_a_sentence_of_which_a_part_was_said_is_not_said_again() -> None:
    half: list[Step] = [*voiced(PCM, 9_600)[:2], Hold()]
    with talking(in_turn(writing("Yes. No.")), IMPATIENT, models=LLAMA, local=LOCAL, voice_of=in_turn(half)) as (
        _,
        dialogue,
    ):
        reply = ask(dialogue)
    assert (reply.text, reply.verdict) == ("Yes. No.", Verdict.OK)
    assert reply.pcm.count(HERE_PCM) <= 1


def test_a_voice_that_is_well_again_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.dialogue.services.REST_S", 0.0)
    voice = in_turn(refused(503), voiced(PCM), refused(503))
    with talking(in_turn(writing("Yes.")), models=LLAMA, local=LOCAL, voice_of=voice) as (_, dialogue):
        replies = [ask(dialogue, Heard("Well?", number)) for number in (1, 2, 3)]
    assert [reply.pcm for reply in replies] == [HERE_PCM, PCM, HERE_PCM]
    assert [reply.told == [] for reply in replies] == [False, True, False]


@pytest.mark.parametrize("ears", [refused(401), refused(500), refused(503)], ids=["401", "500", "503"])
def test_where_the_ears_fail_this_computer_writes_down_what_was_said(ears: list[Step]) -> None:
    with talking(
        in_turn(writing("Yes.")), models=LLAMA, local=LOCAL, ears=lambda _: ears, voice_of=lambda _: voiced(PCM)
    ) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken()))
        again = ask(dialogue, Heard(spoken(0.2), 2))
        assert len(server.asked_of("/audio/transcriptions")) == 1
    for one in (reply, again):
        assert (one.said, one.text, one.verdict) == ("What was said", "Yes.", Verdict.OK)
    assert len(reply.told) == 1
    assert "English only" in reply.told[0].advice
    assert again.told == []


def test_ears_that_cannot_be_reached_are_told_of_where_the_conversation_is_not_english() -> None:
    services = Services(ears=Service(NOWHERE, "whisper"))
    with talking(in_turn(writing("Ja.")), models=LLAMA, local=LOCAL, services=services) as (server, dialogue):
        reply = ask(dialogue, Heard(spoken(), 2), EARLIER)
        assert server.turns == []
    assert isinstance(reply.error, ServerError)
    assert (reply.error.problem, reply.error.title) == (
        Problem.ENDPOINT_UNREACHABLE,
        "The speech service could not be reached.",
    )


def test_ears_that_are_well_again_are_asked_at_the_next_try_in_another_language() -> None:
    with talking(
        in_turn(writing("Gut, danke.")),
        models=LLAMA,
        local=LOCAL,
        ears=in_turn(refused(503), refused(503), heard_as("Wie geht es dir?")),
        voice_of=lambda _: voiced(PCM),
    ) as (_, dialogue):
        assert ask(dialogue, Heard(spoken(), 2), EARLIER).error is not None
        assert ask(dialogue, Heard(spoken(), 2), EARLIER).said == "Wie geht es dir?"


def test_trouble_with_a_service_elsewhere_names_the_service_and_shows_no_key() -> None:
    with OmniServer(in_turn(()), voice=lambda _: refused(401, f"no such key: {KEY}")) as speech:
        services = Services(voice=Service(speech.url, "tts", KEY))
        with talking(in_turn(writing("Yes.")), models=LLAMA, services=services) as (_, dialogue):
            (beside,) = ask(dialogue).told
    assert (beside.problem, beside.title) == (Problem.KEY_REFUSED, "The speech service did not accept the key.")
    assert KEY not in f"{beside}{beside.detail}"


BUSY = refused(429, headers=(("retry-after", "0.6"),))


@pytest.mark.parametrize("voice", [BUSY, refused(401), refused(403), refused(500)], ids=["429", "401", "403", "500"])
def test_a_voice_that_fails_while_a_busy_model_is_waited_for_is_not_told_of(voice: list[Step]) -> None:
    with OmniServer(in_turn(()), voice=lambda _: voice) as speech:
        services = Services(voice=Service(speech.url, "tts"))
        with talking(in_turn(BUSY, HELLO), local=LOCAL, services=services) as (_, dialogue):
            reply = ask(dialogue)
        assert len(speech.asked_of("/audio/speech")) == 1
    ((_, samples),) = reply.asides
    np.testing.assert_array_equal(samples, HERE)
    assert (reply.pcm, reply.told) == (PCM, [])


def test_a_voice_that_was_as_busy_as_the_model_is_asked_for_the_answer() -> None:
    voice = in_turn(BUSY, voiced(PCM))
    with talking(in_turn(BUSY, writing("Yes.")), models=LLAMA, local=LOCAL, voice_of=voice) as (_, dialogue):
        reply = ask(dialogue)
    ((_, samples),) = reply.asides
    np.testing.assert_array_equal(samples, HERE)
    assert (reply.text, reply.pcm, reply.told) == ("Yes.", PCM, [])


ODD = "schlüssel"


def test_a_voice_whose_key_no_header_can_carry_is_told_of_and_this_computer_reads_the_answer() -> None:
    with OmniServer(in_turn(())) as speech:
        services = Services(voice=Service(speech.url, "tts", ODD))
        with talking(in_turn(writing("Yes.")), models=LLAMA, local=LOCAL, services=services) as (_, dialogue):
            reply = ask(dialogue)
        assert speech.asked == []
    (beside,) = reply.told
    assert (beside.problem, beside.title) == (Problem.KEY_REFUSED, "The speech service did not accept the key.")
    assert ODD not in f"{beside}{beside.detail}"
    assert (reply.text, reply.pcm, reply.error) == ("Yes.", HERE_PCM, None)


@pytest.mark.parametrize("local", [LOCAL, Local(None, say)], ids=["local ears", "no ears"])
def test_ears_whose_key_no_header_can_carry_are_told_of_as_a_key(local: Local) -> None:
    services = Services(ears=Service(NOWHERE, "whisper", ODD))
    with talking(in_turn(writing("Yes.")), models=LLAMA, local=local, services=services) as (_, dialogue):
        reply = ask(dialogue, Heard(spoken()))
    (told,) = [*reply.told, *([reply.error] if reply.error else [])]
    assert (told.problem, told.title) == (Problem.KEY_REFUSED, "The speech service did not accept the key.")
    assert (reply.said == "What was said") is (local is LOCAL)


def test_the_test_of_settings_tells_of_a_voice_that_fails() -> None:
    broken = OmniServer(in_turn(writing("Yes.")), LLAMA, voice=lambda _: refused(503))
    with broken as server, pytest.raises(ServerError, match="speech service"):
        probe.try_endpoint(Endpoint(server.url), local=LOCAL)


def test_the_person_is_told_beside_the_answer() -> None:
    rig = ConversationRig()
    rig.dialogue.hold = True
    rig.session.say("Hello")
    rig.crank(0.1)
    reply = rig.dialogue.replies[0]
    reply.speak(HERE, "Yes.")
    reply.tell(ServerError(Problem.ENDPOINT_REFUSED, "The voice is gone.", "Another speaks."))
    reply.finish(Verdict.OK)
    rig.crank(1.0)
    assert rig.events.of(Replying)[-1].text == "Yes."
    (failed,) = rig.events.of(Failed)
    assert (failed.title, failed.turn) == ("The voice is gone.", None)
