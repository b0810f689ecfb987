"""An endpoint that misbehaves: each way is told with a way on, and no question is lost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from core.dialogue.client import Patience
from core.dialogue.history import list_conversations
from core.errors import Problem
from core.events import Crashed, Status
from core.settings import Settings, changed, conversations_folder
from tests.core.omni_server import Head, Hold, OmniServer, Reset, answering, tone, vllm_sound, vllm_words, wav

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.core.omni_server import Asked, Script, Step
    from tests.e2e.case import Case

pytestmark = [pytest.mark.window, pytest.mark.sound, pytest.mark.timeout(180)]
GREETED = changed(Settings(), "window", greeted=True, offer_dismissed=True)
GOOD = answering("Hello there.", wav(tone(0.4)))


def _always(*steps: Step) -> Script:
    return lambda _: list(steps)


def _refusing(status: int, *headers: tuple[str, str]) -> Script:
    return _always(Head(status, headers, {"error": {"message": "no"}}))


@dataclass(frozen=True)
class Trouble:
    """What an endpoint does with a question, what is told of it, and what the transcript ends with: at once, and after
    the way on that is offered was taken (`pressed`, or by itself)."""

    question: str
    does: Script
    problem: Problem
    title: str
    advice: str
    ends: tuple[str, ...]
    pressed: str = ""
    goes_on: tuple[str, ...] = ()
    pill: Status | None = None


TROUBLES = (
    Trouble(
        "Is my key right?",
        _refusing(401),
        Problem.KEY_REFUSED,
        "The endpoint did not accept the key.",
        "Check it in Settings.",
        ends=("Is my key right?",),
    ),
    Trouble(
        "Are you busy?",
        _refusing(429, ("retry-after", "4")),
        Problem.ENDPOINT_BUSY,
        "The endpoint is busy (429).",
        "Trying again in ",
        ends=("Are you busy?",),
        goes_on=("Are you busy?", "Hello there."),
        pill=Status.RECONNECTING,
    ),
    Trouble(
        "Tell me all",
        _always(Head(), vllm_words("Half of it"), vllm_sound(wav(tone(0.8))), Reset()),
        Problem.ANSWER_CUT,
        "The answer broke off half-way.",
        "What was said is in the conversation.",
        ends=("Tell me all", "Half of it"),
        pressed="Ask again",
        goes_on=("Tell me all", "Hello there."),
    ),
    Trouble(
        "Tell me more",
        _always(Head(), vllm_words("Half of it"), vllm_sound(wav(tone(0.8))), Reset()),
        Problem.ANSWER_CUT,
        "The answer broke off half-way.",
        "What was said is in the conversation.",
        ends=("Tell me more", "Half of it"),
        pressed="Continue",
        goes_on=("Tell me more", "Half of it", "Please go on.", "Hello there."),
    ),
    Trouble(
        "Anybody there?",
        _always(Head(), Hold()),
        Problem.ENDPOINT_SILENT,
        "The endpoint did not answer for 2 seconds.",
        "Your last question is kept.",
        ends=("Anybody there?",),
        pressed="Answer from this computer",
        goes_on=("Anybody there?", "Hello there. How are you?"),
    ),
)
GONE = Trouble(
    "Still there?",
    GOOD,
    Problem.ENDPOINT_UNREACHABLE,
    "The endpoint could not be reached.",
    "",
    ends=("Still there?",),
    pill=Status.NOT_CONNECTED,
)


class TestEndpoint:
    """The product's own dialogue against an endpoint that misbehaves."""

    @pytest.fixture
    def scripts(self) -> list[Script]:
        """What the endpoint does with the turns to come; the last goes on for ever."""
        return [GOOD]

    @pytest.fixture
    def server_on_loopback(self, scripts: list[Script]) -> Iterator[OmniServer]:
        def script(asked: Asked) -> Iterable[Step]:
            return (scripts.pop(0) if len(scripts) > 1 else scripts[0])(asked)

        with OmniServer(script, (("m", "vllm"),)) as server:
            yield server

    @pytest.fixture
    def chosen(self, server_on_loopback: OmniServer, monkeypatch: pytest.MonkeyPatch) -> Settings:
        monkeypatch.setenv("LIVETALK_API_KEY", "sk-wrong")
        monkeypatch.setattr("core.dialogue.omni.Patience", lambda: Patience(sign_s=1.0, first_s=2.0, gap_s=1.0))
        return changed(GREETED, "dialogue", url=server_on_loopback.url, model="m")

    @pytest.fixture
    def dialogue(self) -> None:
        return None

    def test_every_way_to_fail_is_told_and_no_question_is_lost(
        self, case: Case, scripts: list[Script], server_on_loopback: OmniServer
    ) -> None:
        for trouble in TROUBLES:
            scripts[:] = [trouble.does, GOOD]
            self.meet(case, trouble)
        assert [saved.entries for saved in list_conversations(conversations_folder())] == [11]
        server_on_loopback.stop()
        self.meet(case, GONE)
        case.alive()
        assert not case.running.events.of(Crashed)

    def meet(self, case: Case, trouble: Trouble) -> None:
        """Ask, be told, take the way on."""

        def until_said(*words: str) -> None:
            case.running.until(lambda: case.said()[-len(words) :] == list(words))

        case.type(trouble.question)
        assert case.told(trouble.problem, trouble.title).startswith(trouble.advice)
        if trouble.pill is not None:
            case.running.until(lambda: case.window.stage.pill.status is trouble.pill)
        until_said(*trouble.ends)
        if trouble.pressed:
            case.press(trouble.pressed)
        if trouble.goes_on:
            until_said(*trouble.goes_on)
            case.gone()
            case.running.until(lambda: case.window.stage.pill.status is Status.READY)
        else:
            assert case.notes()
