"""What stops the avatar and what does not: interruptions within half a second, and signs of listening, by voices that
nothing was fitted on, in a quiet room and beside the avatar's own loudspeaker.

    python -m core.evaluation.intrusions [--said FOLDER] [--most 12] [--quiet] [--fit FILE] [--json FILE]

Prints a table; the last line is one JSON object. FOLDER holds more voices, with a table `said.csv`: file, "fitted" or
"reported", source, words, 1 for a sign of listening.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from core.dialogue.recognizer import Recognizer
from core.evaluation.echo import NEAR_DB, WITHIN_S, Scene, avatar_voice, look
from core.evaluation.echo_room import NOISE_DB
from core.evaluation.intrusion_material import listed, synthetic
from core.evaluation.listener import Listener
from core.evaluation.turn_sentences import Part
from core.listening.turns import Floor
from core.listening.vad import Vad
from core.media import CAPTURE_RATE, AudioChunk
from core.settings import models_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from core.evaluation.intrusion_material import Uttered

_PIECE = CAPTURE_RATE // 100
_APART_S = 1.8
_LONGEST_S = 1.6
"""Of what is said: nothing later decides."""
_EVERY_S = 3.5
_FIT_MINUTES = 16.0


@dataclass(frozen=True)
class Count:
    """What came of `said` interruptions or signs of listening by one source, in one room."""

    room: str
    source: str
    sign: bool
    said: int
    stopped: int
    in_time: int
    p50_s: float | None


def in_a_quiet_room(uttered: Iterable[Uttered], vad: Vad) -> list[float | None]:
    """The seconds from the first sound of each to the end of the reply; None: it was not stopped."""
    listener = Listener(vad, lambda soft: None)
    rng = np.random.default_rng(4)
    return [_stopped(one, listener, rng) for one in uttered]


def in_the_room(uttered: Sequence[Uttered], vad: Vad) -> list[float | None]:
    """The same beside a loudspeaker that plays the reply."""
    sounds = tuple((one.words, one.samples[: int(_LONGEST_S * CAPTURE_RATE)]) for one in uttered)
    minutes = (len(sounds) + 8) * _EVERY_S * 1.4 / 60
    scene = Scene("intrusions", minutes, interrupted_every_s=_EVERY_S, sounds=sounds)
    return [stopped for *_, stopped in look(scene, avatar_voice(), vad).cases[: len(sounds)]]


def count(room: str, uttered: Sequence[Uttered], stopped: Sequence[float | None]) -> list[Count]:
    """By kind of source (flite, espeak, ...) and by sign or not."""
    groups: defaultdict[tuple[str, bool], list[float | None]] = defaultdict(list)
    for one, seconds in zip(uttered, stopped, strict=True):
        groups[one.source.split()[0], one.sign].append(seconds)
    counts: list[Count] = []
    for (source, sign), times in sorted(groups.items()):
        known = [seconds for seconds in times if seconds is not None]
        in_time = sum(seconds <= WITHIN_S for seconds in known)
        p50_s = round(float(np.median(known)), 3) if known else None
        counts.append(Count(room, source, sign, len(times), len(known), in_time, p50_s))
    return counts


def some(uttered: Iterable[Uttered], most: int) -> list[Uttered]:
    """At most so many signs and so many interruptions of each voice, the commonest signs among them."""
    rng = np.random.default_rng(6)
    groups: defaultdict[tuple[str, bool], list[Uttered]] = defaultdict(list)
    for one in uttered:
        groups[one.source, one.sign].append(one)
    chosen: list[Uttered] = []
    for group in groups.values():
        order = rng.permutation(len(group)) if not group[0].sign or len(group) > 4 * most else np.arange(len(group))
        chosen += [group[index] for index in order[:most]]
    return chosen


def main(argv: Sequence[str] | None = None) -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.intrusions", description=__doc__)
    parser.add_argument("--said", type=Path, help="a folder with more voices")
    parser.add_argument("--most", type=int, default=12, help="signs, and interruptions, of each voice")
    parser.add_argument("--quiet", action="store_true", help="leave the room with the loudspeaker out")
    parser.add_argument("--fit", type=Path, help="teach the network on the other voices first, and write it here")
    parser.add_argument("--json", type=Path, help="write the result here too")
    options = parser.parse_args(argv)
    vad = Vad(models_folder() / "silero" / "silero_vad.onnx")
    if options.fit:
        _fit(options.fit, _material(Part.FITTED, options.said), vad)
    uttered = some(_material(Part.REPORTED, options.said), options.most)
    counts = count("quiet", uttered, in_a_quiet_room(uttered, vad))
    if not options.quiet:
        counts += count("echo", uttered, in_the_room(uttered, vad))
    for one in counts:
        _print(one)
    result = json.dumps({"counts": [asdict(one) for one in counts]})
    if options.json:
        options.json.write_text(result, "utf-8")
    print(result)
    return 0


def _material(part: Part, folder: Path | None) -> list[Uttered]:
    return [*synthetic(part), *(listed(folder, part) if folder else ())]


def _fit(out: Path, uttered: Sequence[Uttered], vad: Vad) -> None:
    from core.evaluation.intrusion_fit import beside_the_loudspeaker, fit, in_quiet

    recognizer = Recognizer(models_folder() / "moonshine")
    rng = np.random.default_rng(1)
    quiet = (moment for one in uttered for moment in in_quiet(one, vad, rng))
    echoing = beside_the_loudspeaker(_balanced(uttered), _FIT_MINUTES, vad, seed=3)
    fit((*quiet, *echoing), recognizer.encode).save(out)


def _balanced(uttered: Sequence[Uttered]) -> list[Uttered]:
    """As many signs as interruptions."""
    signs, others = ([one for one in uttered if one.sign is sign] for sign in (True, False))
    return [one for pair in zip(signs, others, strict=False) for one in pair]


def _stopped(one: Uttered, listener: Listener, rng: np.random.Generator) -> float | None:
    level = 10 ** (NEAR_DB / 20) / float(np.sqrt(np.mean(np.square(one.samples))))
    silence = np.zeros(int(_APART_S * CAPTURE_RATE) + int(rng.integers(_PIECE)), np.float32)
    said = np.concatenate([silence, level * one.samples[: int(_LONGEST_S * CAPTURE_RATE)], silence])
    sound = (said + rng.normal(0, 10 ** (NOISE_DB / 20), len(said))).astype(np.float32)
    start = listener.position + len(silence)
    stopped: float | None = None
    for at in range(0, len(sound) - _PIECE, _PIECE):
        chunk = AudioChunk(sound[at : at + _PIECE], listener.position)
        if Floor.SPEAKING in listener.hear(chunk, avatar_speaks=True) and stopped is None:
            stopped = (listener.position - start) / CAPTURE_RATE
    return stopped


def _print(one: Count) -> None:
    kind = "signs" if one.sign else "interruptions"
    when = f"p50 {one.p50_s:.2f} s" if one.p50_s is not None else ""
    in_time = "" if one.sign else f"in time {one.in_time:>4}"
    print(f"{one.room:<7}{one.source:<12}{kind:<14}{one.said:>5}  stopped {one.stopped:>4}  {in_time:<14}{when}")


if __name__ == "__main__":
    sys.exit(main())
