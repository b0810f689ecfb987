"""Turn-taking with known boundaries: turns ended too early and the delay after a true end, beside plain silence rules.

    python -m core.evaluation.turns [--recordings FOLDER] [--json FILE] [--plot FILE] [--fit] [--every N]

Prints a table; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.dialogue.recognizer import Recognizer
from core.evaluation.turn_material import Said, Trial, listed, make_trials, recorded, synthetic
from core.listening.ending import TurnEnding
from core.listening.finished import LEAST_SURE, Words, features, finished
from core.listening.judge import STILLNESS
from core.listening.turns import Floor, TurnRules, TurnTaker
from core.listening.vad import WINDOW, Vad
from core.media import CAPTURE_RATE, AudioChunk
from core.settings import models_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from core.media import Samples

RESPONSE_S = 0.6
"""From the decision to the first sound of an answer: whoever goes on before has not been interrupted."""
TONE_LAG_S = 0.06
WORDS_LAG_S, WORDS_LAG_PER_S = 0.04, 0.035
"""What the two models take on one core of a server, the second growing with the speech; verdicts come that late."""
_PLAIN_MS = (300, 500, 800)
_SWEEP_MS = (200, 300, 400, 500, 600, 800, 1000, 1200, 1500)
_USUAL_PLACE = Path("..") / "shared" / "data"


@dataclass(frozen=True)
class Verdict:
    """What the models say of a pause, and how late."""

    tone: float
    words: Words
    lag_s: float


@dataclass(frozen=True)
class Outcome:
    """One trial under one rule; `delay_s` is None when the turn never ended."""

    early: bool
    noticed: bool
    """The avatar had begun to answer when the person went on."""
    delay_s: float | None


@dataclass
class Models:
    """The product's two models on the sound of a trial; each stretch is asked for once."""

    ending: TurnEnding
    recognizer: Recognizer
    known: dict[tuple[int, int, int], Verdict] = field(default_factory=lambda: dict[tuple[int, int, int], Verdict]())

    def __call__(self, trial: Trial, start: int, at: int) -> Verdict:
        key = (id(trial), start, at)
        if key not in self.known:
            speech = trial.samples[start:at]
            still = np.concatenate([speech, STILLNESS])
            heard = self.recognizer(still)
            lag_s = TONE_LAG_S + WORDS_LAG_S + WORDS_LAG_PER_S * len(speech) / CAPTURE_RATE
            self.known[key] = Verdict(self.ending(still), Words(heard.text, heard.confidence, heard.closing), lag_s)
        return self.known[key]


@dataclass(frozen=True)
class Rule:
    """How a turn ends: by the rules alone, or with what `ask` makes of a verdict and the seconds it came late."""

    name: str
    rules: TurnRules
    ask: Callable[[Verdict], tuple[float | None, float]] | None = None


def rules() -> list[Rule]:
    """The silence rules and ours, the last one as the product has it."""
    plain = [Rule(f"silence {ms} ms", TurnRules(silence_ms=ms)) for ms in _PLAIN_MS]
    tone = Rule("tone (Smart Turn)", TurnRules(), lambda verdict: (verdict.tone, TONE_LAG_S))
    return [*plain, tone, ours(TurnRules())]


def ours(taken: TurnRules, name: str = "tone and words") -> Rule:
    return Rule(name, taken, lambda verdict: (finished(verdict.tone, verdict.words), verdict.lag_s))


def listen(trial: Trial, vad: Vad) -> list[float]:
    """Probability of speech in each window of the trial."""
    vad.reset()
    starts = range(0, len(trial.samples) - WINDOW + 1, WINDOW)
    return [vad(AudioChunk(trial.samples[at : at + WINDOW], at)) for at in starts]


def run_trial(trial: Trial, voice: Sequence[float], rule: Rule, judge: Models) -> Outcome:
    """Have the product's `TurnTaker` hear the trial."""
    ended, began = _follow(trial, voice, rule, judge)
    early = [at for at in ended if at < trial.end]
    late = [at for at in ended if at >= trial.end]
    went_on = [(at, min((start for start in began if start > at), default=at)) for at in early]
    noticed = any(start - at > RESPONSE_S * CAPTURE_RATE for at, start in went_on)
    return Outcome(bool(early), noticed, (late[0] - trial.end) / CAPTURE_RATE if late else None)


def _follow(trial: Trial, voice: Sequence[float], rule: Rule, judge: Models) -> tuple[list[int], list[int]]:
    """Capture positions at which a turn was taken to be over, and at which speech began."""
    taker = TurnTaker(rule.rules, judged=rule.ask is not None)
    due: list[tuple[float, int, float | None]] = []
    ended: list[int] = []
    began: list[int] = []
    for probability in voice:
        change = taker.hear(probability, WINDOW)
        if change is Floor.SPEAKING:
            began.append(taker.position)
        if change is Floor.PAUSED and rule.ask is not None:
            says, lag_s = rule.ask(judge(trial, taker.start, taker.position))
            due = [(taker.position + lag_s * CAPTURE_RATE, taker.position, says)]
        if due and taker.position >= due[0][0] and change is not Floor.QUIET:
            change = taker.judge(*due.pop()[1:])
        if change is Floor.QUIET:
            ended.append(taker.position)
    return ended, began


@dataclass(frozen=True)
class Figures:
    """Of some trials under one rule."""

    rule: str
    turns: int
    early: float
    early_low: float
    early_high: float
    noticed: float
    delay_mean_s: float
    delay_p50_s: float
    delay_p90_s: float
    never_ended: int


def figures(rule: str, outcomes: Sequence[Outcome]) -> Figures:
    delays = [outcome.delay_s for outcome in outcomes if outcome.delay_s is not None]
    early = np.array([outcome.early for outcome in outcomes], float)
    spread = 1.96 * float(np.sqrt(early.mean() * (1 - early.mean()) / len(early)))
    p50, p90 = (round(float(value), 3) for value in np.quantile(delays, (0.5, 0.9)))
    return Figures(
        rule,
        len(outcomes),
        round(float(early.mean()), 4),
        round(max(0.0, float(early.mean()) - spread), 4),
        round(min(1.0, float(early.mean()) + spread), 4),
        round(float(np.mean([outcome.noticed for outcome in outcomes])), 4),
        round(float(np.mean(delays)), 3),
        p50,
        p90,
        len(outcomes) - len(delays),
    )


def groups(trials: Sequence[Trial]) -> dict[str, list[int]]:
    """Indices of the trials under each heading."""
    chosen: dict[str, Callable[[Trial], bool]] = {
        "all": lambda trial: True,
        "synthetic voices": lambda trial: _is_synthetic(trial.said),
        "recordings of people": lambda trial: not _is_synthetic(trial.said),
        "whole": lambda trial: trial.kind == "whole",
        "torn inside": lambda trial: trial.kind == "torn",
        "hesitation": lambda trial: trial.kind == "hesitation",
        "in noise": lambda trial: trial.noisy,
    }
    found = {name: [n for n, trial in enumerate(trials) if fits(trial)] for name, fits in chosen.items()}
    return {name: indices for name, indices in found.items() if indices}


def _is_synthetic(said: Said) -> bool:
    return said.source.startswith(("flite", "espeak"))


def measure(trials: list[Trial], vad: Vad, judge: Models) -> tuple[dict[str, list[Figures]], dict[str, Any]]:
    """Every rule on every trial, by group; and the sweeps for the picture: (early, mean delay) by rule and patience."""
    voices = [listen(trial, vad) for trial in trials]

    def of(rule: Rule) -> list[Outcome]:
        return [run_trial(trial, voice, rule, judge) for trial, voice in zip(trials, voices, strict=True)]

    outcomes = {rule.name: of(rule) for rule in rules()}
    table = {
        group: [figures(name, [results[n] for n in indices]) for name, results in outcomes.items()]
        for group, indices in groups(trials).items()
    }
    plain = [figures(f"{ms}", of(Rule("", TurnRules(silence_ms=ms)))) for ms in _SWEEP_MS]
    patient = [figures(f"{ms}", of(ours(TurnRules(patience_ms=ms)))) for ms in (800, 1000, 1200, 1500, 2000, 3000)]
    sweep = {"silence": [vars(point) for point in plain], "patience": [vars(point) for point in patient]}
    return table, sweep


def fit(trials: list[Trial], vad: Vad, judge: Models) -> dict[str, float]:
    """The weights of `core.listening.finished`: logistic regression on the verdicts of every pause of the trials, ends
    and others weighing the same."""
    from scipy.optimize import minimize

    rows: list[tuple[float, ...]] = []
    ends: list[float] = []
    for trial in trials:
        _follow(trial, listen(trial, vad), Rule("", TurnRules(), lambda _: (0.0, 0.0)), judge)
        for (asked, _, at), verdict in judge.known.items():
            if asked == id(trial) and verdict.words.sure >= LEAST_SURE:
                rows.append(features(verdict.tone, verdict.words))
                ends.append(float(at > trial.end))
    data, truth = np.array(rows), np.array(ends)
    weight = np.where(truth == 1, 0.5 / truth.mean(), 0.5 / (1 - truth.mean()))

    def loss(theta: Samples) -> float:
        score = data @ theta
        return float(np.sum(weight * (np.logaddexp(0, score) - truth * score)) + 0.1 * np.sum(theta[1:] ** 2))

    found = minimize(loss, np.zeros(data.shape[1])).x
    return dict(zip(("bias", "tone", "closing", "comma", "open"), (round(float(w), 3) for w in found), strict=True))


def draw(sweep: dict[str, Any], path: Path) -> None:
    """Turns ended too early over the mean delay: silence rules as a line, ours for several patiences."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(6, 4))
    FigureCanvasAgg(drawing)
    axes = drawing.subplots()
    for name, colour, label in (("silence", "#c2410c", "silence alone"), ("patience", "#0a6c74", "tone and words")):
        points = sweep[name]
        x, y = [point["delay_mean_s"] for point in points], [100 * point["early"] for point in points]
        axes.plot(x, y, "o-", color=colour, label=label)
        for point, at_x, at_y in zip(points, x, y, strict=True):
            axes.annotate(f"{point['rule']} ms", (at_x, at_y), fontsize=6, xytext=(3, 3), textcoords="offset points")
    axes.set_xlabel("mean delay after the true end, s")
    axes.set_ylabel("turns ended too early, %")
    axes.legend()
    drawing.tight_layout()
    drawing.savefig(path, dpi=120)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status, 1 when ours is not better than 500 ms of silence on both counts."""
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.turns", description=__doc__)
    parser.add_argument("--recordings", type=Path, default=_USUAL_PLACE, help="folder with recordings of people")
    parser.add_argument("--json", type=Path, help="write the result here too")
    parser.add_argument("--plot", type=Path, help="draw the picture here")
    parser.add_argument("--fit", action="store_true", help="print the weights that fit this material")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th turn")
    options = parser.parse_args(argv)
    began = time.perf_counter()
    turns = [*synthetic(), *_people(options.recordings)]
    trials = make_trials(turns[:: options.every])
    models = models_folder()
    vad = Vad(models / "silero" / "silero_vad.onnx")
    judge = Models(TurnEnding(models / "smart-turn" / "smart-turn-v3.2-cpu.onnx"), Recognizer(models / "moonshine"))
    table, sweep = measure(trials, vad, judge)
    weights = fit(trials, vad, judge) if options.fit else None
    better = _print(table)
    if options.plot:
        draw(sweep, options.plot)
    plain = {group: [vars(row) for row in rows] for group, rows in table.items()}
    result: dict[str, Any] = {"turns": len(trials), "groups": plain, "sweep": sweep, "better_on_both": better}
    result |= {"seconds": round(time.perf_counter() - began, 1), **({"weights": weights} if weights else {})}
    if options.json:
        options.json.write_text(json.dumps(result, indent=1), "utf-8")
    print(json.dumps(result))
    return 0 if better else 1


def _people(folder: Path) -> list[Said]:
    return list(listed(folder) if (folder / "turns.csv").is_file() else recorded(folder))


def _print(table: dict[str, list[Figures]]) -> bool:
    for group, rows in table.items():
        print(f"\n{group} ({rows[0].turns} turns)")
        print(f"  {'rule':<20}{'too early':>18}{'noticed':>9}{'mean s':>8}{'p50':>7}{'p90':>7}{'never':>7}")
        for row in rows:
            spread = f"{100 * row.early:.1f} ({100 * row.early_low:.0f}-{100 * row.early_high:.0f}) %"
            times = f"{row.delay_mean_s:>8.2f}{row.delay_p50_s:>7.2f}{row.delay_p90_s:>7.2f}"
            print(f"  {row.rule:<20}{spread:>18}{100 * row.noticed:>7.1f} %{times}{row.never_ended:>7}")
    plain = next(row for row in table["all"] if row.rule == "silence 500 ms")
    mine = table["all"][-1]
    return mine.early < plain.early and mine.delay_mean_s < plain.delay_mean_s


if __name__ == "__main__":
    sys.exit(main())
