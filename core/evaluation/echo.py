"""The avatar beside its own loudspeaker: what is left of the echo, and who interrupts: itself never, people in time.

    python -m core.evaluation.echo [--minutes 30] [--only SCENE] [--cases] [--devices] [--json FILE]

The product's sound loop, echo guard, voice detector and turn rules hear a laptop in a room, faster than time.
Prints a table; the last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from core.audio.sound import SoundLoop
from core.clock import SampleClock
from core.evaluation.echo_room import EchoingSound, Room
from core.evaluation.listener import Listener
from core.evaluation.turn_material import spoken_by_flite
from core.listening.turns import Floor
from core.listening.vad import Vad
from core.media import CAPTURE_RATE, MEDIA_RATE
from core.settings import models_folder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from core.audio.echo import EchoMode
    from core.media import AudioChunk, Samples

TICK_S = 0.01
NEAR_DB = -26.0
"""RMS of somebody who speaks in front of the laptop."""
WITHIN_S = 0.5
AUDIBLE_DB = -12.0
"""Against the mean level of a sentence, that of the first 20 ms of it that count as heard: the hiss before "stop" does
not, where the loudspeaker is as loud as the person."""
_REPLY_S, _REST_S = 20.0, 1.2
_SETTLED_S = 3.0
_TEXT = (
    "The lighthouse keeper climbed the stairs every evening, and every evening he counted them again.",
    "There are more stars in the sky than grains of sand on all the beaches, or so they say.",
    "You could start with a simple soup: onions, carrots, a few potatoes, and whatever herbs you like.",
    "That is a good question, and I am not sure that anybody knows the whole answer.",
    "When the train arrived at last, nobody on the platform remembered where they had wanted to go.",
    "Water boils at a lower temperature in the mountains, which is why beans take so long up there.",
    "If I were you, I would sleep on it, and call them in the morning.",
    "Some birds fly thousands of miles without a rest, guided by the stars and by the earth itself.",
)
_INTERRUPTIONS = (
    "Wait, I have another question.",
    "Stop, that is not what I meant.",
    "Can you say that again, please?",
    "Hold on, who told you about it?",
    "No, I wanted the other one.",
    "Tell me about something else.",
)
_SIGNS = ("Yeah.", "Right.", "Okay.", "Yes.", "Really?", "Sure.", "Oh.", "I see.")
_VOICES = ("awb", "kal16", "slt")


@dataclass(frozen=True)
class Scene:
    """A way to sit before the laptop. Somebody speaks every `interrupted_every_s`, 0 for never, and says `says`, or
    what is in `sounds` (a name and what is heard of it) instead."""

    name: str
    minutes: float
    room: Room = field(default_factory=Room)
    mode: EchoMode = "auto"
    interrupted_every_s: float = 0.0
    near_db: float = NEAR_DB
    says: tuple[str, ...] = _INTERRUPTIONS
    sounds: tuple[tuple[str, Samples], ...] = ()


@dataclass(frozen=True)
class Said:
    """Somebody spoke into the reply, from the capture sample `start` to `end`, and could be heard from `audible` on."""

    what: str
    start: int
    end: int
    audible: int


@dataclass
class Heard:
    """What one scene gave. Times are of the capture clock."""

    scene: str
    minutes: float
    erle_db: float
    self_interruptions: int
    self_duckings: int
    half_duplex_share: float
    delay_ms: float | None
    interruptions: int = 0
    softer_in_time: int = 0
    """The voice was lowered, or stopped, within `WITHIN_S` of the first sound of an interruption."""
    softer_p50_s: float = 0.0
    softer_p90_s: float = 0.0
    stopped: int = 0
    stopped_in_time: int = 0
    stopped_in_time_of_audible: int = 0
    """The same from the moment they could be heard (`AUDIBLE_DB`) instead of from their first sound."""
    stopped_p50_s: float = 0.0
    stopped_p90_s: float = 0.0
    cases: list[tuple[str, float, float | None, float | None]] = field(default_factory=list)
    """What was said each time, how much later it could be heard, and the seconds from its first sound to the voice
    growing softer and to its end; None for never."""


class Play:
    """One scene, cranked: a reply without end in pieces of `_REPLY_S`, and everything that listens."""

    def __init__(self, scene: Scene, voice: Samples, vad: Vad) -> None:
        self.seconds = 0.0
        self._voice = voice
        near, self.said = _people(scene)
        self.device = EchoingSound(lambda: self.seconds, scene.room, near)
        self.device.microphone.set_voice_level(float(np.sqrt(np.mean(np.square(voice)))))
        self.clock = SampleClock()
        self.clean: list[Samples] = []
        self.changes: list[tuple[int, Floor]] = []
        self.half_duplex = 0
        self.loop = SoundLoop(
            self.device,
            self.clock,
            self._fill,
            self._hear,
            lambda event: None,
            now=lambda: self.seconds,
            echo=scene.mode,
        )
        self._listener = Listener(vad, self._soften)
        self._given = 0

    def crank(self, minutes: float) -> None:
        for _ in range(round(minutes * 60 / TICK_S)):
            self.seconds += TICK_S
            self.loop.step()
            self.half_duplex += self.loop.half_duplex

    def _speaks(self, media: int) -> bool:
        return media / MEDIA_RATE % (_REPLY_S + _REST_S) < _REPLY_S

    def _fill(self, out: Samples) -> int:
        at = self._given + np.arange(len(out))
        self._given += len(out)
        speaks = at / MEDIA_RATE % (_REPLY_S + _REST_S) < _REPLY_S
        out[:] = np.where(speaks, self._voice[at % len(self._voice)], 0)
        return len(out)

    def _hear(self, chunk: AudioChunk) -> None:
        self.clean.append(chunk.samples)
        changes = self._listener.hear(chunk, avatar_speaks=self._speaks(self.clock.position))
        self.changes += [(self._listener.position, change) for change in changes]

    def _soften(self, soft: bool) -> None:
        self.loop.ducked = soft


def look(scene: Scene, voice: Samples, vad: Vad) -> Heard:
    """Play the scene and count."""
    play = Play(scene, voice, vad)
    play.crank(scene.minutes)
    ticks = round(scene.minutes * 60 / TICK_S)
    caught, ducked, by_itself = _sort(play)
    heard = Heard(
        scene.name,
        round(play.seconds / 60, 2),
        _erle_db(play),
        sum(change is Floor.SPEAKING for _, change in by_itself),
        sum(change is Floor.INTRUDING for _, change in by_itself),
        round(play.half_duplex / ticks, 3),
        None if play.loop.echo_delay_s is None else round(1000 * play.loop.echo_delay_s),
    )
    if play.said:
        _time(heard, caught, ducked, play.said)
    return heard


def _time(heard: Heard, caught: dict[int, float], ducked: dict[int, float], said: list[Said]) -> None:
    first = {start: min(ducked.get(start, 99.0), caught.get(start, 99.0)) for start in {*ducked, *caught}}
    heard.interruptions = len(said)
    heard.cases = [(one.what, _later(one), ducked.get(one.start), caught.get(one.start)) for one in said]
    heard.stopped_in_time_of_audible = sum(caught.get(one.start, 99.0) - _later(one) <= WITHIN_S + 1e-6 for one in said)
    heard.stopped = len(caught)
    heard.softer_in_time = sum(seconds <= WITHIN_S for seconds in first.values())
    heard.stopped_in_time = sum(seconds <= WITHIN_S for seconds in caught.values())
    if first:
        heard.softer_p50_s, heard.softer_p90_s = (
            round(float(v), 3) for v in np.quantile([*first.values()], (0.5, 0.9))
        )
    if caught:
        quantiles = np.quantile([*caught.values()], (0.5, 0.9))
        heard.stopped_p50_s, heard.stopped_p90_s = (round(float(v), 3) for v in quantiles)


def _sort(play: Play) -> tuple[dict[int, float], dict[int, float], list[tuple[int, Floor]]]:
    """Seconds from each interruption to the floor being taken and to the voice growing softer; and the changes for
    which nobody had spoken."""
    caught: dict[int, float] = {}
    ducked: dict[int, float] = {}
    alone: list[tuple[int, Floor]] = []
    for at, change in play.changes:
        behind = [one.start for one in play.said if one.start <= at < one.end + CAPTURE_RATE]
        if not behind:
            alone.append((at, change))
        elif change is Floor.SPEAKING:
            caught.setdefault(behind[-1], (at - behind[-1]) / CAPTURE_RATE)
        elif change is Floor.INTRUDING:
            ducked.setdefault(behind[-1], (at - behind[-1]) / CAPTURE_RATE)
    return caught, ducked, alone


def _erle_db(play: Play) -> float:
    """Echo return loss enhancement: power at the microphone over power after the guard, from `_SETTLED_S` on, where
    nobody spoke."""
    near, clean = np.concatenate(play.device.microphone.taken), np.concatenate(play.clean)
    count = min(len(near), len(clean))
    alone = np.ones(count, bool)
    alone[: int(_SETTLED_S * CAPTURE_RATE)] = False
    for one in play.said:
        alone[one.start : one.end + CAPTURE_RATE] = False
    before = float(np.mean(np.square(near[:count][alone], dtype=np.float64)))
    after = float(np.mean(np.square(clean[:count][alone], dtype=np.float64)))
    return round(10 * float(np.log10(before / max(after, 1e-12))), 1)


def _later(said: Said) -> float:
    return (said.audible - said.start) / CAPTURE_RATE


def _people(scene: Scene) -> tuple[Samples, list[Said]]:
    """The people's voices on the capture clock, and what they say."""
    total = np.zeros(int(scene.minutes * 60 * CAPTURE_RATE), np.float32)
    said: list[Said] = []
    if not scene.interrupted_every_s:
        return total, said
    spoken = ((f"{voice}: {text}", spoken_by_flite(text, voice)) for voice in _VOICES for text in scene.says)
    sounds = scene.sounds or tuple(spoken)
    period = _REPLY_S + _REST_S
    rng = np.random.default_rng(2)
    at = 6.0
    while at + 5 < scene.minutes * 60:
        if at % period < _REPLY_S - 4:
            what, sound = sounds[len(said) % len(sounds)]
            start = int((at + float(rng.uniform(0, 0.5))) * CAPTURE_RATE)
            level = 10 ** (scene.near_db / 20) / float(np.sqrt(np.mean(np.square(sound))))
            total[start : start + len(sound)] += sound * level
            said.append(Said(what, start, start + len(sound), start + _audible(sound)))
        at += scene.interrupted_every_s
    return total, said


def _audible(sound: Samples) -> int:
    """Where the first 20 ms begin that are no softer than `AUDIBLE_DB`."""
    part = CAPTURE_RATE // 50
    power = np.square(sound[: len(sound) // part * part]).reshape(-1, part).mean(1)
    return int(np.flatnonzero(power > np.mean(np.square(sound)) * 10 ** (AUDIBLE_DB / 10))[0]) * part


def scenes(minutes: float) -> list[Scene]:
    """What is looked at: the long one first."""
    short = min(4.0, minutes)
    return [
        Scene("laptop", minutes),
        Scene("laptop, interrupted", short, interrupted_every_s=7.0),
        Scene("laptop, soft voice (-6 dB)", short, interrupted_every_s=7.0, near_db=NEAR_DB - 6),
        Scene("laptop, signs of listening", short, interrupted_every_s=7.0, says=_SIGNS),
        Scene("loud (+6 dB)", short, Room(echo_db=-18)),
        Scene("late (250 ms)", short, Room(late_s=0.25), interrupted_every_s=7.0),
        Scene("clocks apart (100 ppm)", minutes, Room(drift=100.0)),
        *(Scene(f"clocks apart ({drift} ppm)", short, Room(drift=drift)) for drift in (-200, -100, 50, 200)),
        Scene("clocks apart, interrupted", short, Room(drift=100.0), interrupted_every_s=7.0),
        Scene("devices in pieces", short, Room(drift=100.0, piece_s=0.02), interrupted_every_s=7.0),
        Scene("rattling loudspeaker", short, Room(drive=12.0, echo_db=-18)),
        Scene("half-duplex", min(1.0, minutes), mode="half_duplex"),
        Scene("no guard", min(1.0, minutes), mode="off"),
    ]


def avatar_voice() -> Samples:
    """A minute of the companion's voice at `MEDIA_RATE`, at its usual loudness."""
    import soxr

    pieces: list[Samples] = []
    for text in _TEXT:
        for voice in ("rms", "slt"):
            said = spoken_by_flite(text, voice)
            level = 0.09 / float(np.sqrt(np.mean(np.square(said))))
            pieces += [np.clip(said * level, -1, 1), np.zeros(int(0.35 * CAPTURE_RATE), np.float32)]
    return soxr.resample(np.concatenate(pieces), CAPTURE_RATE, MEDIA_RATE).astype(np.float32)


def main(argv: Sequence[str] | None = None) -> int:
    """Look at every scene and print; returns the exit status, 1 when the avatar interrupted itself or people could not
    interrupt it."""
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.echo", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="of uninterrupted playback")
    parser.add_argument("--only", help="the one scene of this name")
    parser.add_argument("--cases", action="store_true", help="print everything that was said, too")
    parser.add_argument("--devices", action="store_true", help="measure this machine's own devices, aloud, instead")
    parser.add_argument("--json", type=Path, help="write the result here too")
    options = parser.parse_args(argv)
    began = time.perf_counter()
    if options.devices:
        return _devices()
    voice, vad = avatar_voice(), Vad(models_folder() / "silero" / "silero_vad.onnx")
    results: list[Heard] = []
    print(
        f"{'scene':<28}{'min':>6}{'ERLE dB':>9}{'itself':>8}{'ducked':>8}{'softer in time':>17}{'stopped in time':>18}"
    )
    for scene in scenes(options.minutes):
        if options.only in (None, scene.name):
            results.append(look(scene, voice, vad))
            _print(results[-1], options.cases)
    guarded = [heard for heard in results if heard.scene != "no guard"]
    spoken_to = [heard for heard in guarded if heard.scene == "laptop, interrupted"]
    good = all(not heard.self_interruptions for heard in guarded)
    good = good and all(heard.stopped == heard.interruptions for heard in spoken_to)
    result: dict[str, Any] = {"scenes": [asdict(heard) for heard in results], "good": good}
    result["seconds"] = round(time.perf_counter() - began, 1)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1), "utf-8")
    print(json.dumps(result))
    return 0 if good else 1


def _devices() -> int:
    from core.evaluation.echo_devices import measure_devices

    found = measure_devices(avatar_voice())
    print(json.dumps({"devices": asdict(found) if found else None}))
    return 0 if found else 1


def _print(heard: Heard, cases: bool) -> None:
    counts = f"{heard.self_interruptions:>8}{heard.self_duckings:>8}"
    times = f"{'-':>17}{'-':>18}"
    if heard.interruptions:
        softer = f"{heard.softer_in_time}/{heard.interruptions} p90 {heard.softer_p90_s:.2f}"
        times = f"{softer:>17}{f'{heard.stopped_in_time}/{heard.interruptions} p90 {heard.stopped_p90_s:.2f}':>18}"
    print(f"{heard.scene:<28}{heard.minutes:>6.1f}{heard.erle_db:>9.1f}{counts}{times}", flush=True)
    for what, later_s, softer_s, stopped_s in heard.cases if cases else ():
        when = ["never" if seconds is None else f"{seconds:.2f}" for seconds in (softer_s, stopped_s)]
        print(f"    {what:<42} audible {later_s:.2f}  softer {when[0]:>5}  stopped {when[1]:>5}")


if __name__ == "__main__":
    sys.exit(main())
