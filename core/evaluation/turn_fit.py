"""Choosing the numbers of turn-taking on the turns that may be looked at, and listing what still goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.turn_rules import ours, run_trial
from core.listening.finished import ALONE, FEATURES, Finished, features, is_heard, tone_alone
from core.listening.turns import Floor, TurnRules, TurnTaker
from core.listening.vad import WINDOW
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from core.evaluation.turn_material import Trial
    from core.evaluation.turn_rules import Models, Verdict
    from core.media import Samples

_PENALTY = 1.0
"""Of the squared weights, the bias left out."""
_PEOPLE_COUNT = 3.0
"""Times that recordings of people count more than synthetic voices: it is people who will speak, and those voices say
everything in the tone of somebody who has finished."""
_SHORTEST_S = 0.27
"""Silences shorter than what was put in say nothing about waiting: no rule ends a turn in them."""
_MOST_EARLY = 0.355
"""Share of the turns they are chosen on that the thresholds may end too early, at the usual patience."""
_FINISHED = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7)
_UNFINISHED = (0.02, 0.04, 0.06, 0.1, 0.15)
_SLOW = 0.95


@dataclass(frozen=True)
class Pause:
    """A silence in a trial, noticed at the sample `at`; `lasts_s` is None for the one after the end."""

    trial: Trial
    at: int
    lasts_s: float | None
    verdict: Verdict


def pauses(trials: Sequence[Trial], models: Models) -> Iterator[Pause]:
    """Those that a patient listener hears, who waits as long as it takes."""
    rules = TurnRules(patience_ms=10_000)
    for trial in trials:
        taker = TurnTaker(rules, judged=True)
        at, start = None, 0
        for probability in models.voice(trial):
            change = taker.hear(probability, WINDOW)
            if change is Floor.PAUSED:
                at, start = taker.position, taker.start
            elif change is Floor.RESUMED and at is not None:
                lasts_s = (taker.position - at) / CAPTURE_RATE + rules.pause_ms / 1000
                yield Pause(trial, at, lasts_s, models(trial, start, at))
                at = None
        if at is not None:
            yield Pause(trial, at, None, models(trial, start, at))


def fit(trials: Sequence[Trial], models: Models, wording: Callable[[str], float]) -> Finished:
    """What `core.listening.finished` weighs, fitted to the pauses of the trials."""
    known = [pause for pause in pauses(trials, models) if pause.lasts_s is None or pause.lasts_s > _SHORTEST_S]
    heard = [pause for pause in known if is_heard(pause.verdict.words)]
    alone = _regress(known, np.array([tone_alone(pause.verdict.tone) for pause in known]))
    whole = _regress(heard, np.array([features(pause.verdict.tone, pause.verdict.words, wording) for pause in heard]))
    return Finished(wording, dict(zip(ALONE, alone, strict=True)), dict(zip(FEATURES, whole, strict=True)))


def _regress(known: Sequence[Pause], data: Samples) -> list[float]:
    """Logistic regression; ends weigh as much as other pauses, and people as in `_PEOPLE_COUNT`."""
    from scipy.optimize import minimize

    over = np.array([pause.lasts_s is None for pause in known])
    people = np.array([not pause.trial.said.synthetic for pause in known])
    weight = np.zeros(len(known))
    for end, person in product((False, True), repeat=2):
        group = (over == end) & (people == person)
        weight[group] = (_PEOPLE_COUNT if person else 1.0) / max(1, group.sum())
    weight *= len(known) / weight.sum()

    def loss(theta: Samples) -> float:
        score = data @ theta
        return float(np.sum(weight * (np.logaddexp(0, score) - over * score)) + _PENALTY * np.sum(theta[1:] ** 2))

    return [round(float(value), 3) for value in minimize(loss, np.zeros(data.shape[1])).x]


def thresholds(trials: Sequence[Trial], models: Models, finished: Finished) -> TurnRules:
    """The rules whose two thresholds are soonest, on average and at the `_SLOW` quantile together, among those that end
    no more turns early than `_MOST_EARLY`."""
    heard = list(pauses(trials, models))
    chances = [finished(pause.verdict.tone, pause.verdict.words) or 0.0 for pause in heard]
    choices = [
        replace(TurnRules(), finished=high, unfinished=low)
        for high, low in product(_FINISHED, _UNFINISHED)
        if low < high
    ]
    scored = [(*_score(heard, chances, rules), rules) for rules in choices]
    return min((delay_s, rules.finished, rules) for early, delay_s, rules in scored if early <= _MOST_EARLY)[2]


def _score(heard: Sequence[Pause], chances: Sequence[float], rules: TurnRules) -> tuple[float, float]:
    """Share of turns ended too early, and the sum of the mean delay and the one at `_SLOW`, without having the turn
    taker hear it all again."""
    early: dict[int, bool] = {}
    delays: list[float] = []
    for pause, chance in zip(heard, chances, strict=True):
        wait_s = max(rules.wait_ms(chance) / 1000, rules.pause_ms / 1000 + pause.verdict.lag_s)
        turn = id(pause.trial)
        early.setdefault(turn, False)
        if pause.lasts_s is None:
            delays.append((pause.at - pause.trial.end) / CAPTURE_RATE - rules.pause_ms / 1000 + wait_s)
        else:
            early[turn] |= wait_s <= pause.lasts_s
    return sum(early.values()) / len(early), float(np.mean(delays) + np.quantile(delays, _SLOW))


def list_early(trials: Sequence[Trial], models: Models, finished: Finished, most: int) -> Iterator[str]:
    """Turns that ours ends too early: how long the pause was, what was said before, and what the models made of it."""
    rule = ours(TurnRules(), finished)
    for trial in trials:
        if most > 0 and run_trial(trial, rule, models).early:
            most -= 1
            for pause in pauses([trial], models):
                if pause.lasts_s is not None and pause.lasts_s > _SHORTEST_S:
                    verdict = pause.verdict
                    chance = finished(verdict.tone, verdict.words) or 0.0
                    text = verdict.words.text
                    mark, words = verdict.words.closing, finished.wording(text)
                    by = f"tone {verdict.tone:.2f}, mark {mark:.2f}, words {words:.2f}"
                    yield f"{trial.said.source:<24} {pause.lasts_s:.2f} s {chance:.2f} ({by}) {text[-60:]}"
