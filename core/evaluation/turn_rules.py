"""What a rule makes of a turn whose end is known: the product's `TurnTaker` hears it, its models judge the pauses."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from core.listening.finished import Words
from core.listening.judge import STILLNESS
from core.listening.turns import Floor, TurnRules, TurnTaker
from core.listening.vad import WINDOW
from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from core.dialogue.recognizer import Recognizer
    from core.evaluation.turn_material import Trial
    from core.listening.ending import TurnEnding
    from core.listening.finished import Finished
    from core.listening.vad import Vad
    from core.media import Samples

RESPONSE_S = 0.6
"""From the decision to the first sound of an answer: whoever goes on before has not been interrupted."""
TONE_LAG_S = 0.05
WORDS_LAG_S, WORDS_LAG_PER_S = 0.01, 0.027
"""Processor time of the two models on one core of a server, the second's growing with the speech; verdicts come that
late."""


@dataclass(frozen=True)
class Verdict:
    """What the models say of a pause, and how late."""

    tone: float
    words: Words
    lag_s: float


class Models:
    """The product's models on the sound of a trial; each stretch is asked for once, and never again where `kept` is a
    file: what they said is written there by `keep`."""

    def __init__(self, vad: Vad, ending: TurnEnding, recognizer: Recognizer, kept: Path | None = None) -> None:
        self._vad = vad
        self._ending = ending
        self._recognizer = recognizer
        self._kept = kept
        self._known: dict[str, list[float | str]] = {}
        self._voices: dict[str, list[float]] = {}
        if kept and kept.is_file():
            saved = json.loads(kept.read_text("utf-8"))
            self._known, self._voices = saved["verdicts"], saved["voices"]

    def voice(self, trial: Trial) -> list[float]:
        """Probability of speech in each window of the trial."""
        key = _key(trial.samples)
        if key not in self._voices:
            self._vad.reset()
            starts = range(0, len(trial.samples) - WINDOW + 1, WINDOW)
            heard = [self._vad(AudioChunk(trial.samples[at : at + WINDOW], at)) for at in starts]
            self._voices[key] = [round(probability, 3) for probability in heard]
        return self._voices[key]

    def __call__(self, trial: Trial, start: int, at: int) -> Verdict:
        """What they say of the speech from `start` on, at a pause noticed at `at`."""
        speech = trial.samples[start:at]
        key = _key(speech)
        if key not in self._known:
            still = np.concatenate([speech, STILLNESS])
            heard = self._recognizer(still)
            self._known[key] = [self._ending(still), heard.text, heard.confidence, heard.closing]
        tone, text, sure, closing = self._known[key]
        lag_s = TONE_LAG_S + WORDS_LAG_S + WORDS_LAG_PER_S * len(speech) / CAPTURE_RATE
        return Verdict(float(tone), Words(str(text), float(sure), float(closing)), lag_s)

    def keep(self) -> None:
        if self._kept:
            self._kept.write_text(json.dumps({"verdicts": self._known, "voices": self._voices}), "utf-8")


def _key(samples: Samples) -> str:
    return hashlib.blake2b(samples.tobytes(), digest_size=12).hexdigest()


@dataclass(frozen=True)
class Rule:
    """How a turn ends: by the rules alone, or with what `ask` makes of a verdict and the seconds it came late."""

    name: str
    rules: TurnRules
    ask: Callable[[Verdict], tuple[float | None, float]] | None = None


def silence(ms: int) -> Rule:
    """A plain silence ends the turn."""
    return Rule(f"silence {ms} ms", TurnRules(silence_ms=ms))


def tone(rules: TurnRules) -> Rule:
    """Smart Turn alone."""
    return Rule("tone (Smart Turn)", rules, lambda verdict: (verdict.tone, TONE_LAG_S))


def ours(rules: TurnRules, finished: Finished, name: str = "tone and words") -> Rule:
    """As the product has it."""
    weighed = cache(lambda verdict: finished(verdict.tone, verdict.words))
    return Rule(name, rules, lambda verdict: (weighed(verdict), verdict.lag_s))


@dataclass
class Outcome:
    """One trial under one rule."""

    early: bool = False
    noticed: bool = False
    """The avatar had begun to answer when the person went on."""
    delay_s: float | None = None
    """After the true end; None when the turn never ended."""
    drafts: int = 0
    """Answers asked for in a pause, before the turn was taken to be over."""
    wasted: int = 0
    """Those thrown away because the person went on."""
    ahead_s: list[float] = field(default_factory=lambda: list[float]())
    """How long before the end of the turn those that were used had been asked for."""


def run_trial(trial: Trial, rule: Rule, models: Models) -> Outcome:
    """Have the product's `TurnTaker` hear the trial."""
    outcome = Outcome()
    ended, began = _follow(trial, rule, models, outcome)
    early = [at for at in ended if at < trial.end]
    late = [at for at in ended if at >= trial.end]
    went_on = [(at, min((start for start in began if start > at), default=at)) for at in early]
    outcome.early = bool(early)
    outcome.noticed = any(start - at > RESPONSE_S * CAPTURE_RATE for at, start in went_on)
    outcome.delay_s = (late[0] - trial.end) / CAPTURE_RATE if late else None
    return outcome


def _follow(trial: Trial, rule: Rule, models: Models, outcome: Outcome) -> tuple[list[int], list[int]]:
    """Capture positions at which a turn was taken to be over, and at which speech began."""
    taker = TurnTaker(rule.rules, judged=rule.ask is not None)
    due: tuple[float, int, float | None] | None = None
    draft_at: int | None = None
    ended: list[int] = []
    began: list[int] = []
    for probability in models.voice(trial):
        change = taker.hear(probability, WINDOW)
        if change is Floor.SPEAKING:
            began.append(taker.position)
        if change is Floor.PAUSED and rule.ask is not None:
            says, lag_s = rule.ask(models(trial, taker.start, taker.position))
            due = taker.position + lag_s * CAPTURE_RATE, taker.position, says
        if due and taker.position >= due[0] and change is not Floor.QUIET:
            _, asked_at, says = due
            due = None
            change = taker.judge(asked_at, says)
            if says is not None and taker.paused_at == asked_at and says > rule.rules.likely:
                draft_at = taker.position
                outcome.drafts += 1
        if change is Floor.RESUMED and draft_at is not None:
            outcome.wasted += 1
            draft_at = None
        if change is Floor.QUIET:
            ended.append(taker.position)
            due = None
            if draft_at is not None:
                outcome.ahead_s.append((taker.position - draft_at) / CAPTURE_RATE)
                draft_at = None
    return ended, began


def run(trials: Sequence[Trial], rule: Rule, models: Models) -> list[Outcome]:
    return [run_trial(trial, rule, models) for trial in trials]
