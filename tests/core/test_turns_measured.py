"""The measurement of turn-taking: pauses where they were put, and rules that are judged by them."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from core.evaluation.turn_fit import pauses
from core.evaluation.turn_material import LEAD_S, PAUSES_S, TRAIL_S, Said, Trial, make_trials
from core.evaluation.turn_rules import Models, Outcome, Rule, Verdict, run, silence
from core.evaluation.turn_sentences import ESPEAK, FLITE, PICO, RECORDED, Part, sentences
from core.evaluation.turns import figures, groups
from core.listening.finished import Words
from core.listening.turns import TurnRules
from core.listening.vad import WINDOW
from core.media import CAPTURE_RATE

if TYPE_CHECKING:
    from pathlib import Path


def said(cut_s: float = 1.0, seconds: float = 2.0) -> Said:
    count = round(seconds * CAPTURE_RATE)
    tone = 0.2 * np.sin(2 * np.pi * 200 * np.arange(count) / CAPTURE_RATE)
    cut = round(cut_s * CAPTURE_RATE)
    return Said("a tone", "flite nobody", Part.REPORTED, tone.astype(np.float32), (cut,))


def torn(count: int) -> list[Trial]:
    return [trial for trial in make_trials([said() for _ in range(count)]) if trial.kind == "torn"]


@dataclass
class Says:
    """Models that hear what is loud, and say the same of every pause."""

    tone: float

    def voice(self, trial: Trial) -> list[float]:
        pieces = trial.samples[: len(trial.samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
        return [1.0 if rms > 0.1 else 0.0 for rms in np.sqrt(np.mean(np.square(pieces), axis=1))]

    def __call__(self, trial: Trial, start: int, at: int) -> Verdict:
        return Verdict(self.tone, Words("", 0.0, 0.0), 0.1)


def judged(rules: TurnRules) -> Rule:
    return Rule("", rules, lambda verdict: (verdict.tone, verdict.lag_s))


def test_a_pause_is_put_where_the_turn_is_torn_and_the_end_is_where_its_sound_ends() -> None:
    for trial in make_trials([said() for _ in range(12)]):
        inside = trial.samples[trial.start : trial.end]
        pause_s = (trial.end - trial.start) / CAPTURE_RATE - 2.0
        assert trial.start == round(LEAD_S * CAPTURE_RATE)
        assert len(trial.samples) - trial.end == round(TRAIL_S * CAPTURE_RATE)
        if trial.kind == "whole":
            assert pause_s == 0
        else:
            assert min(abs(pause_s - length) for length in PAUSES_S) < 1e-3
            assert inside[CAPTURE_RATE : CAPTURE_RATE + round(pause_s * CAPTURE_RATE)].std() < 0.05
    assert {trial.noisy for trial in make_trials([said() for _ in range(3)])} == {True, False}


def test_every_length_of_pause_is_used_as_often_as_any_other() -> None:
    lengths = sorted(round((trial.end - trial.start) / CAPTURE_RATE - 2.0, 3) for trial in torn(2 * len(PAUSES_S)))
    assert np.allclose(lengths, sorted(PAUSES_S * 2), atol=1e-3)


def test_numbers_are_chosen_on_other_voices_and_other_sentences_than_they_are_reported_on() -> None:
    for kind in (sentences, lambda part: FLITE[part], lambda part: ESPEAK[part], lambda part: PICO[part]):
        for one, other in combinations(Part, 2):
            assert not set(kind(one)) & set(kind(other))
    assert not spans(Part.REPORTED) & spans(Part.UNSEEN)


def spans(part: Part) -> set[tuple[str, str]]:
    """File and seconds of everything in the recordings of people."""
    lines = (line.split() for line in RECORDED[part].strip().splitlines())
    return {(name, span) for name, *found in lines for span in found}


def test_the_slowest_turns_are_told_of_beside_the_usual_ones() -> None:
    outcomes = [Outcome(delay_s=n / 100) for n in range(101)]
    told = figures("", outcomes)
    assert (told.delay_p50_s, told.delay_p90_s, told.delay_p95_s) == (0.5, 0.9, 0.95)


def test_turns_of_a_few_words_are_a_group_of_their_own() -> None:
    long = replace(said(), name="a tone that goes on and on")
    trials = make_trials([said(), long, replace(said(), source="a recording"), replace(said(), hesitates=True)])
    few = groups(trials)["whole, of a few words"]
    assert [(trials[n].said.name, trials[n].kind) for n in few] == [("a tone", "whole")]


def test_silence_alone_ends_torn_turns_early_and_patience_does_not() -> None:
    trials = torn(9)
    plain = run(trials, silence(500), Says(0.0))
    patient = run(trials, judged(TurnRules(patience_ms=2000)), Says(0.02))
    eager = run(trials, judged(TurnRules()), Says(0.98))
    assert figures("", plain).early > 0.6
    assert figures("", patient).early == 0
    assert 1.9 < figures("", patient).delay_mean_s < 2.1
    assert figures("", eager).delay_mean_s < 0.3
    assert all(outcome.delay_s is not None and abs(outcome.delay_s - 0.5) < 0.05 for outcome in plain)


def test_answers_asked_for_in_a_pause_are_counted_and_so_are_those_thrown_away() -> None:
    rules = TurnRules(patience_ms=2000)
    likely = (rules.likely + rules.finished) / 2
    counted = figures("", run(torn(9), judged(rules), Says(likely)))
    assert 1.5 < counted.drafts <= 2, "one in the pause that was put in, one after the end"
    assert 0.1 < counted.wasted < 0.35, "some of those in the pause, none after the end"
    assert counted.ahead_s > 0.4
    unlikely = figures("", run(torn(9), judged(rules), Says(rules.likely / 2)))
    assert unlikely.drafts == unlikely.wasted == 0


def test_the_pauses_of_a_turn_are_what_a_patient_listener_hears() -> None:
    for trial in torn(6):
        inside, after = pauses([trial], Says(0.5))
        pause_s = (trial.end - trial.start) / CAPTURE_RATE - 2.0
        assert inside.lasts_s is not None
        assert abs(inside.lasts_s - pause_s) < 0.07
        assert after.lasts_s is None
        assert 0 < after.at - trial.end < 0.2 * CAPTURE_RATE


def test_what_the_models_said_is_kept_from_one_run_to_the_next(tmp_path: Path) -> None:
    heard: list[int] = []

    def vad(chunk: object) -> float:
        return 0.25

    vad.reset = lambda: None
    recognizer = lambda sound: heard.append(len(sound)) or Words("Yes.", 0.9, 0.8)  # noqa: E731
    kept = tmp_path / "kept.json"
    trial = torn(1)[0]
    first = Models(vad, lambda sound: 0.7, lambda sound: _Heard(recognizer(sound)), kept)
    assert first(trial, 0, 16_000) == first(trial, 0, 16_000)
    voice = first.voice(trial)
    first.keep()
    assert len(heard) == 1
    assert len(json.loads(kept.read_text())["verdicts"]) == 1
    second = Models(vad, None, None, kept)
    assert second(trial, 0, 16_000) == first(trial, 0, 16_000)
    assert second.voice(trial) == voice


class _Heard:
    """What the recogniser returns."""

    def __init__(self, words: Words) -> None:
        self.text, self.confidence, self.closing = words.text, words.sure, words.closing
