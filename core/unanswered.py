"""Unanswered: the question nobody has answered yet, and when it is asked again."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from core.dialogue.protocol import Verdict
from core.errors import LiveTalkError, Problem
from core.events import Failed, Recovered, Status
from core.media import Turn

if TYPE_CHECKING:
    from core.dialogue.history import History
    from core.events import Emit

_LOST = {
    Problem.ENDPOINT_UNREACHABLE,
    Problem.ENDPOINT_SILENT,
    Problem.ENDPOINT_REFUSED,
    Problem.ENDPOINT_BUSY,
    Problem.KEY_REFUSED,
}
"""Trouble after which nobody answers until something changes."""
_RECONNECT_S = (1.0, 3.0)
"""An endpoint that could not be reached is tried after so long. One that was reached has been asked twice already."""


class Unanswered:
    """Keeps the question that failed. A lost endpoint is tried again before the person is troubled; a busy one once,
    when it said it would be free or, where it said nothing, after a few seconds, and the person sees the countdown.
    Conversation thread only, but for `turn`.

    `turn` is the question, None when there is none; `retry_at` the time at which it is asked again by itself.
    """

    def __init__(self, turn: Turn | None, emit: Emit) -> None:
        self._emit = emit
        self._lost = False
        self._told: Problem | None = None
        self.attempts = 0
        self.turn = turn
        self.retry_at: float | None = None

    @property
    def status(self) -> Status | None:
        """A question waits to be asked again, or nobody is there to answer it."""
        if self.retry_at is not None:
            return Status.RECONNECTING
        return Status.NOT_CONNECTED if self.turn is not None and self._lost else None

    def due(self, now: float) -> bool:
        return self.retry_at is not None and now >= self.retry_at

    def asked(self) -> None:
        """It is asked again, or another question is: what was told of the endpoint holds no longer."""
        self.retry_at = None
        self.turn = None
        told, self._told = self._told, None
        if told is not None:
            self._emit(Recovered(told))

    def opened(self, history: History) -> None:
        """Another conversation begins: its last question may be without an answer."""
        self.asked()
        self.turn = kept_question(history)

    def keep(self, turn: Turn, error: LiveTalkError, *, begun: bool, now: float) -> None:
        """`turn` failed; an answer that had `begun` is not asked for again by itself."""
        self.turn = turn
        self._lost = error.problem in _LOST
        wait_s = None if begun else _wait_s(error, self.attempts)
        if wait_s is not None:
            self.attempts += 1
            self.retry_at = now + wait_s
        if wait_s is None or error.problem is Problem.ENDPOINT_BUSY:
            self._told = error.problem
            failed = Failed.of(error, turn.number)
            self._emit(failed if wait_s is not None else _given_up(failed))

    def answered(self, turn: Turn, verdict: Verdict, *, spoken_for: bool, now: float) -> None:
        """The answer to `turn` ended as `verdict` says; `spoken_for` when another voice read its words."""
        if verdict is Verdict.FILTERED:
            self.keep(turn, declined(), begun=True, now=now)
        if verdict is Verdict.MUTE:
            self._emit(Failed.of(writes_only(spoken_for=spoken_for)))


def kept_question(history: History) -> Turn | None:
    """The last question of `history` when it has no answer, so that it can be asked again."""
    last = history.entries[-1] if history.entries else None
    return Turn(last.turn, last.text) if last and last.role == "user" and last.text else None


def declined() -> LiveTalkError:
    """The endpoint's own filter stopped the answer."""
    title, advice = "The endpoint declined to answer that.", "Ask it in another way, or ask something else."
    return LiveTalkError(Problem.ANSWER_DECLINED, title, advice)


def writes_only(*, spoken_for: bool) -> LiveTalkError:
    """The endpoint gave no sound two times in a row; `spoken_for` when another voice read its words."""
    here = "This computer’s voice speaks for it: English only. " if spoken_for else ""
    return LiveTalkError(
        Problem.ENDPOINT_REFUSED,
        "The endpoint answers in writing only.",
        f"{here}Choose a model that speaks in Settings.",
        detail="two answers without sound in a row: the server has no speech stage",
    )


def _given_up(failed: Failed) -> Failed:
    """Nothing is tried again by itself any more: what promised to is said otherwise."""
    if failed.problem is not Problem.ENDPOINT_BUSY or failed.retry_after_s is None:
        return failed
    advice = "Your last question is kept. Try again in a while, or let the built-in companion answer."
    return replace(failed, advice=advice, retry_after_s=None)


def _wait_s(error: LiveTalkError, attempts: int) -> float | None:
    """Seconds until the question is asked again by itself; None when that is for the person to decide."""
    if error.retry_after_s is None:
        return None
    if error.problem is Problem.ENDPOINT_BUSY and not attempts:
        return error.retry_after_s
    if error.problem is Problem.ENDPOINT_UNREACHABLE and error.retry_after_s and attempts < len(_RECONNECT_S):
        return _RECONNECT_S[attempts]
    return None
