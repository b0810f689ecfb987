"""A question is asked as often as its trouble is worth, however many parts of the product would try again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import pytest

from core.dialogue.endpoint import Endpoint
from core.dialogue.omni import OmniDialogue
from core.errors import Problem
from core.events import Failed, Status, StatusChanged
from tests.core.omni_server import OmniServer, Reset, in_turn
from tests.core.omni_talk import HELLO, refused
from tests.rig import ConversationRig

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from tests.core.omni_server import Step


class Asking:
    """A conversation whose clock is turned by hand, over an endpoint that is a real one."""

    def __init__(self, server: OmniServer, dialogue: OmniDialogue) -> None:
        self.server = server
        self.rig = ConversationRig(dialogue)

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn the clock until something is so; between two turns the endpoint has its own time."""
        for _ in range(1000):
            if condition():
                return
            self.rig.crank(0.05)
            self.server.wait_until(condition, 0.02)
        raise AssertionError("it never came to that")

    def until_told(self, times: int = 1) -> Failed:
        self.until(lambda: len(self.told) >= times)
        return self.told[times - 1]

    def later(self, seconds: float) -> None:
        """So much time passes, and whoever wants to ask has done so."""
        for _ in range(round(seconds)):
            self.rig.crank(1.0)
            self.server.wait_until(lambda: False, 0.01)

    @property
    def told(self) -> list[Failed]:
        return self.rig.events.of(Failed)

    @property
    def status(self) -> Status:
        return self.rig.events.of(StatusChanged)[-1].status


@contextlib.contextmanager
def asking(*answers: Sequence[Step]) -> Generator[Asking]:
    with OmniServer(in_turn(*answers), (("m", "vllm"),)) as server:
        dialogue = OmniDialogue(Endpoint(server.url))
        asked = Asking(server, dialogue)
        try:
            asked.rig.session.say("Hello?")
            yield asked
        finally:
            dialogue.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """The waits inside a turn are in the server's time."""
    monkeypatch.setattr("core.dialogue.trouble._QUIET_WAITS_S", (0.01, 0.02))


@pytest.mark.parametrize("answer", [refused(500), refused(503), refused(408), [Reset()]])
def test_a_server_that_cannot_answer_is_asked_once_more_and_then_the_person_decides(answer: list[Step]) -> None:
    with asking(answer) as talk:
        assert talk.until_told().problem is Problem.ENDPOINT_UNREACHABLE
        talk.later(10)
        assert (len(talk.server.turns), len(talk.told), talk.status) == (2, 1, Status.NOT_CONNECTED)


def test_a_busy_endpoint_that_gives_no_time_is_asked_four_times_with_one_countdown_before_the_last() -> None:
    with asking(refused(429)) as talk:
        assert talk.until_told().advice == "Trying again in 4 s."
        assert len(talk.server.turns) == 3
        given_up = talk.until_told(2)
        assert (given_up.problem, given_up.retry_after_s) == (Problem.ENDPOINT_BUSY, None)
        assert given_up.advice.startswith("Your last question is kept.")
        talk.later(10)
        assert (len(talk.server.turns), len(talk.told), talk.status) == (4, 2, Status.NOT_CONNECTED)


def test_a_busy_endpoint_that_gives_a_time_is_asked_again_when_it_is_over() -> None:
    with asking(refused(429, headers=(("retry-after", "8"),)), HELLO) as talk:
        assert talk.until_told().advice == "Trying again in 8 s."
        asked_at = talk.rig.time
        talk.until(lambda: len(talk.server.turns) == 2)
        assert 7.0 < talk.rig.time - asked_at < 10.0
        talk.later(2)
        assert len(talk.told) == 1


def test_a_busy_endpoint_that_stays_so_after_its_own_time_is_not_asked_a_third_time() -> None:
    with asking(refused(429, headers=(("retry-after", "5"),))) as talk:
        assert talk.until_told(2).retry_after_s is None
        talk.later(12)
        assert (len(talk.server.turns), len(talk.told)) == (2, 2)


@pytest.mark.parametrize(("wait", "told"), [("61", "2 minutes"), ("3600", "60 minutes"), ("40000", "12 hours")])
def test_a_wait_of_more_than_a_minute_is_left_to_the_person(wait: str, told: str) -> None:
    with asking(refused(429, headers=(("retry-after", wait),)), HELLO) as talk:
        failed = talk.until_told()
        assert f"It asks to wait for {told}." in failed.advice
        assert (failed.problem, failed.retry_after_s) == (Problem.ENDPOINT_BUSY, None)
        talk.later(65 if wait == "61" else 5)
        assert (len(talk.server.turns), len(talk.told), talk.status) == (1, 1, Status.NOT_CONNECTED)
        talk.rig.session.retry()
        talk.until(lambda: len(talk.server.turns) == 2)


def test_who_presses_retry_gives_the_question_all_its_chances_again() -> None:
    with asking(refused(429)) as talk:
        talk.until_told(2)
        talk.rig.session.retry()
        talk.until_told(4)
        talk.later(5)
        assert len(talk.server.turns) == 8
