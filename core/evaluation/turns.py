"""Turn-taking with known boundaries: turns ended too early and the delay after a true end, beside plain silence rules.

    python -m core.evaluation.turns [--recordings FOLDER] [--orders FOLDER] [--unseen FOLDER] [--kept FILE]
                                    [--json FILE] [--plot FILE] [--fit] [--early N] [--every N]

Numbers are chosen on one part of the turns and reported on another, which shares no voice and no sentence with it;
a third is for those who look once, when everything is chosen. Prints tables of each; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.dialogue.recognizer import Recognizer
from core.evaluation.turn_fit import fit, list_early, thresholds
from core.evaluation.turn_material import Said, Trial, brief, commands, listed, make_trials, recorded, short, synthetic
from core.evaluation.turn_plot import draw
from core.evaluation.turn_rules import Models, Outcome, Rule, ours, run, silence, tone
from core.evaluation.turn_sentences import Part
from core.evaluation.words import WordFinder
from core.listening.ending import TurnEnding
from core.listening.finished import Finished
from core.listening.turns import TurnRules
from core.listening.vad import Vad
from core.settings import assets_folder, models_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PLAIN_MS = (300, 500, 800, 1200)
SWEEP_MS = (200, 300, 400, 500, 600, 800, 1000, 1200, 1400)
SLIDER_MS = (300, 400, 500, 700, 1000, 2000)
"""Places of the patience slider (`listening.silence_ms`); 500 is the default."""
ORDERS = 120
"""Recordings of people's orders that are fitted on."""
_USUAL_PLACE = Path("..") / "shared" / "data"


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
    delay_p95_s: float
    never_ended: int
    drafts: float
    """Answers asked for in a pause, for each turn."""
    wasted: float
    """Share of them that was thrown away because the person went on."""
    ahead_s: float
    """How long before the end the others had been asked for, on average."""


def figures(rule: str, outcomes: Sequence[Outcome]) -> Figures:
    delays = [outcome.delay_s for outcome in outcomes if outcome.delay_s is not None]
    early = np.array([outcome.early for outcome in outcomes], float)
    spread = 1.96 * float(np.sqrt(early.mean() * (1 - early.mean()) / len(early)))
    p50, p90, p95 = (round(float(value), 3) for value in np.quantile(delays, (0.5, 0.9, 0.95)))
    drafts = sum(outcome.drafts for outcome in outcomes)
    ahead = [seconds for outcome in outcomes for seconds in outcome.ahead_s]
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
        p95,
        len(outcomes) - len(delays),
        round(drafts / len(outcomes), 3),
        round(sum(outcome.wasted for outcome in outcomes) / max(1, drafts), 4),
        round(float(np.mean(ahead)) if ahead else 0.0, 3),
    )


def groups(trials: Sequence[Trial]) -> dict[str, list[int]]:
    """Indices of the trials under each heading."""
    chosen: dict[str, Callable[[Trial], bool]] = {
        "all": lambda trial: True,
        "synthetic voices": lambda trial: trial.said.synthetic,
        "recordings of people": lambda trial: not trial.said.synthetic,
        "whole": lambda trial: trial.kind == "whole",
        "whole, of a few words": lambda trial: trial.kind == "whole" and trial.said.few_words,
        "paused inside": lambda trial: trial.kind == "torn",
        "hesitation": lambda trial: trial.kind == "hesitation",
        "in noise": lambda trial: trial.noisy,
    }
    found = {name: [n for n, trial in enumerate(trials) if fits(trial)] for name, fits in chosen.items()}
    return {name: indices for name, indices in found.items() if indices}


def measure(trials: list[Trial], models: Models, finished: Finished) -> dict[str, list[Figures]]:
    """Every rule on every trial, by group, the last one as the product has it."""
    rules: list[Rule] = [*map(silence, PLAIN_MS), tone(TurnRules()), ours(TurnRules(), finished)]
    outcomes = {rule.name: run(trials, rule, models) for rule in rules}
    return {
        group: [figures(name, [results[n] for n in indices]) for name, results in outcomes.items()]
        for group, indices in groups(trials).items()
    }


def curves(trials: list[Trial], models: Models, finished: Finished) -> dict[str, list[Figures]]:
    """Delay against turns ended too early: plain silences, and ours at places of the patience slider."""
    plain = [figures(f"{ms}", run(trials, silence(ms), models)) for ms in SWEEP_MS]
    settings = [(ms, TurnRules.for_sensitivity(0.5, ms)) for ms in SLIDER_MS]
    mine = [figures(f"{rules.patience_ms}", run(trials, ours(rules, finished), models)) for _, rules in settings]
    return {"silence": plain, "patience": mine}


def main(argv: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit status, 1 when ours is not better than 500 ms of silence on both counts on
    the part that is reported."""
    options = _options(argv)
    began = time.perf_counter()
    recognizer = Recognizer(models_folder() / "moonshine")
    models = _models(recognizer, options.kept)
    finished = Finished.read(assets_folder() / "models" / "turns")
    turns = _turns(options, lambda sound: recognizer(sound).text)[:: options.every]
    parts = {part: make_trials([said for said in turns if said.part is part]) for part in Part}
    parts = {part: trials for part, trials in parts.items() if trials}
    if options.fit:
        finished = fit(parts[Part.FITTED], models, finished.wording)
        print("weights", finished.weights)
        print("thresholds", thresholds(parts[Part.FITTED], models, finished))
    tables = {part: measure(own, models, finished) for part, own in parts.items()}
    sweeps = {part: curves(own, models, finished) for part, own in parts.items()}
    models.keep()
    for part in parts:
        _print(part, tables[part], sweeps[part])
    for line in list_early(parts[Part.REPORTED], models, finished, options.early):
        print(line)
    plain = next(row for row in tables[Part.REPORTED]["all"] if row.rule == "silence 500 ms")
    mine = tables[Part.REPORTED]["all"][-1]
    better = mine.early < plain.early and mine.delay_mean_s < plain.delay_mean_s
    if options.plot:
        draw({part: {name: _points(line) for name, line in sweeps[part].items()} for part in parts}, options.plot)
    result: dict[str, Any] = {part.value: _as_data(table) for part, table in tables.items()}
    result |= {"curves": {part.value: _as_data(sweep) for part, sweep in sweeps.items()}, "better_on_both": better}
    result["seconds"] = round(time.perf_counter() - began, 1)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1), "utf-8")
    print(json.dumps(result))
    return 0 if better else 1


def _options(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.turns", description=__doc__)
    parser.add_argument("--recordings", type=Path, default=_USUAL_PLACE, help="folder with recordings to report on")
    parser.add_argument("--orders", type=Path, help="a copy of Picovoice/speech-to-intent-benchmark to fit on")
    parser.add_argument("--unseen", type=Path, help="look at the third part too; the folder with its other recordings")
    parser.add_argument("--kept", type=Path, help="what the models said of each pause, from one run to the next")
    parser.add_argument("--json", type=Path, help="write the result here too")
    parser.add_argument("--plot", type=Path, help="draw the picture here")
    parser.add_argument("--fit", action="store_true", help="print the numbers that fit the first part")
    parser.add_argument("--early", type=int, default=0, help="list so many of the turns that ours ended too early")
    parser.add_argument("--every", type=int, default=1, help="take only every n-th turn")
    return parser.parse_args(argv)


def _models(recognizer: Recognizer, kept: Path | None) -> Models:
    folder = models_folder()
    ending = TurnEnding(folder / "smart-turn" / "smart-turn-v3.2-cpu.onnx")
    return Models(Vad(folder / "silero" / "silero_vad.onnx"), ending, recognizer, kept)


def _turns(options: argparse.Namespace, words: Callable[[Any], str]) -> list[Said]:
    finder = WordFinder()
    turns = list(synthetic(Part.FITTED, finder))
    if options.orders:
        turns += commands(options.orders, ORDERS, words, finder)
    else:
        print("Nobody but synthetic voices to fit on: give --orders.")
    turns += synthetic(Part.REPORTED, finder)
    if (options.recordings / "turns.csv").is_file():
        turns += listed(options.recordings, words, finder)
    else:
        turns += recorded(Part.REPORTED, options.recordings, words, finder)
    turns += [*short(Part.FITTED), *short(Part.REPORTED), *brief(Part.FITTED, finder)]
    if options.unseen:
        turns += [*synthetic(Part.UNSEEN, finder), *brief(Part.UNSEEN, finder)]
        for folder in (options.recordings, options.unseen):
            turns += recorded(Part.UNSEEN, folder, words, finder)
    return turns


def _as_data(rows: dict[str, list[Figures]]) -> dict[str, list[dict[str, Any]]]:
    return {name: [asdict(row) for row in line] for name, line in rows.items()}


def _points(line: Sequence[Figures]) -> list[tuple[str, float, float]]:
    return [(row.rule, row.delay_mean_s, row.early) for row in line]


def _print(part: Part, table: dict[str, list[Figures]], sweep: dict[str, list[Figures]]) -> None:
    for group, rows in table.items():
        print(f"\n{part.value}: {group} ({rows[0].turns} turns)")
        print(f"  {'rule':<20}{'too early':>18}{'noticed':>9}{'mean s':>8}{'p50':>7}{'p90':>7}{'p95':>7}{'never':>7}")
        for row in rows:
            spread = f"{100 * row.early:.1f} ({100 * row.early_low:.0f}-{100 * row.early_high:.0f}) %"
            times = f"{row.delay_mean_s:>8.2f}{row.delay_p50_s:>7.2f}{row.delay_p90_s:>7.2f}{row.delay_p95_s:>7.2f}"
            print(f"  {row.rule:<20}{spread:>18}{100 * row.noticed:>7.1f} %{times}{row.never_ended:>7}")
    mine = table["all"][-1]
    print(f"\n{part.value}: {mine.drafts:.2f} answers a turn asked for in a pause, {mine.ahead_s:.2f} s before its end")
    print(f"  {100 * mine.wasted:.1f} % of them thrown away because the person went on")
    for name, what in (("silence", "plain silence"), ("patience", "tone and words, patience")):
        print(f"\n{part.value}: {what}\n  {'ms':>6}{'too early':>12}{'mean s':>8}{'p90':>7}")
        for row in sweep[name]:
            print(f"  {row.rule:>6}{100 * row.early:>10.1f} %{row.delay_mean_s:>8.2f}{row.delay_p90_s:>7.2f}")


if __name__ == "__main__":
    sys.exit(main())
