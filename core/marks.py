"""Marks: when each step of a turn happened. The only reader of wall time for latency."""

from __future__ import annotations

import enum
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_KEPT_TURNS = 200


class Step(enum.Enum):
    """The steps of a turn, in the order of time; a typed turn begins with TURN_END."""

    SPEECH_END = "speech_end"
    TURN_END = "turn_end"
    RECOGNISED = "recognised"
    FIRST_TEXT = "first_text"
    FIRST_SOUND = "first_sound"
    FIRST_FRAME = "first_frame"
    SHOWN = "shown"


STAGES: tuple[tuple[str, Step], ...] = (
    ("End of turn", Step.TURN_END),
    ("Recognise", Step.RECOGNISED),
    ("First words", Step.FIRST_TEXT),
    ("First sound", Step.FIRST_SOUND),
    ("Draw", Step.FIRST_FRAME),
    ("Show", Step.SHOWN),
)
"""Names of the stages and the step each one ends with; a stage begins where the one before it ended."""


class Marks:
    """Wall times of the steps of the newest turns. Any thread; the first mark of a step counts.

    Args:
        now: seconds on a clock that never goes back (`time.perf_counter` in the product).
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self._turns: OrderedDict[int, dict[Step, float]] = OrderedDict()
        self._lock = threading.Lock()

    def mark(self, turn: int, step: Step, at: float | None = None) -> None:
        moment = self.now() if at is None else at
        with self._lock:
            steps = self._turns.setdefault(turn, {})
            steps.setdefault(step, moment)
            while len(self._turns) > _KEPT_TURNS:
                self._turns.popitem(last=False)

    def forget(self, turn: int) -> None:
        """The turn begins anew: it is asked again."""
        with self._lock:
            self._turns.pop(turn, None)

    def steps(self, turn: int) -> dict[Step, float]:
        with self._lock:
            return dict(self._turns.get(turn, {}))

    def since_end(self, turn: int) -> dict[str, float]:
        """Seconds of each later step after the end of the person's speech (or after a typed turn was sent)."""
        steps = self.steps(turn)
        start = steps.get(Step.SPEECH_END, steps.get(Step.TURN_END))
        if start is None:
            return {}
        return {step.value: at - start for step, at in steps.items()}

    def stages(self, turn: int) -> dict[str, float]:
        """Seconds of every stage of `STAGES`; a step that was ready early (anticipated recognition) takes none."""
        steps = self.steps(turn)
        before = steps.get(Step.SPEECH_END, steps.get(Step.TURN_END))
        if before is None:
            return {}
        seconds: dict[str, float] = {}
        for name, step in STAGES:
            at = max(before, steps.get(step, before))
            seconds[name] = at - before
            before = at
        return seconds
