"""The measurement of turn-taking: pauses where they were put, and rules that are judged by them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.evaluation.turn_material import LEAD_S, PAUSES_S, TRAIL_S, Said, Trial, make_trials, quiet_places
from core.evaluation.turns import Rule, Verdict, figures, ours, run_trial
from core.listening.finished import Words
from core.listening.turns import TurnRules
from core.listening.vad import WINDOW
from core.media import CAPTURE_RATE


def said(cut_s: float = 1.0, seconds: float = 2.0) -> Said:
    count = round(seconds * CAPTURE_RATE)
    tone = 0.2 * np.sin(2 * np.pi * 200 * np.arange(count) / CAPTURE_RATE)
    return Said("a tone", "flite nobody", tone.astype(np.float32), (round(cut_s * CAPTURE_RATE),))


def loud(trial: Trial) -> list[float]:
    pieces = trial.samples[: len(trial.samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
    return [1.0 if rms > 0.1 else 0.0 for rms in np.sqrt(np.mean(np.square(pieces), axis=1))]


@dataclass
class Says:
    """Models that say the same of every pause."""

    finished: float

    def __call__(self, trial: Trial, start: int, at: int) -> Verdict:
        return Verdict(self.finished, Words("", 0.0, 0.0), 0.1)


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
    trials = [trial for trial in make_trials([said() for _ in range(2 * len(PAUSES_S))]) if trial.kind == "torn"]
    lengths = sorted(round((trial.end - trial.start) / CAPTURE_RATE - 2.0, 3) for trial in trials)
    assert np.allclose(lengths, sorted(PAUSES_S * 2), atol=1e-3)


def test_silence_alone_ends_torn_turns_early_and_patience_does_not() -> None:
    trials = [trial for trial in make_trials([said() for _ in range(9)]) if trial.kind == "torn"]
    plain = [run_trial(trial, loud(trial), Rule("", TurnRules(silence_ms=500)), Says(0.0)) for trial in trials]
    patient = [run_trial(trial, loud(trial), ours(TurnRules(patience_ms=2000)), Says(0.05)) for trial in trials]
    eager = [run_trial(trial, loud(trial), ours(TurnRules()), Says(0.95)) for trial in trials]
    assert figures("", plain).early > 0.6
    assert figures("", patient).early == 0
    assert 1.9 < figures("", patient).delay_mean_s < 2.1
    assert figures("", eager).delay_mean_s < 0.3
    assert all(outcome.delay_s is not None and abs(outcome.delay_s - 0.5) < 0.05 for outcome in plain)


def test_a_turn_is_torn_where_it_is_quiet() -> None:
    sound = said().samples.copy()
    sound[15_000:17_000] *= 0.01
    (first, *_) = quiet_places(sound, most=1)
    assert 15_000 <= first < 17_000
