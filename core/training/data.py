"""Streams of sound with the motion of a face: what everything here is trained on.

A stream is half a minute of one person: speech with pauses, stretches of listening, and a life beside the words.
Nobody's recording goes in; the distributions come from people.toml.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from core.media import MEDIA_RATE
from core.performer.portrait.audio import Hearing, LogMel
from core.performer.portrait.codec import CURVES, FACE_CURVES, FRAMES, LIP_CURVES
from core.performer.portrait.motion import STYLE_WORDS, style_rows
from core.training.life import MANNERS, Manner, People, blinks, brow_events, gaze, smoothed, wandering
from core.training.music import music
from core.training.speech import Espeak, Phone, Utterance, faster, flite
from core.training.visemes import Articulation, lip_curves
from core.training.wear import noisy, worn

if TYPE_CHECKING:
    from core.media import Samples
    from core.performer.portrait.speech_encoder import SpeechEncoder
    from core.training.rig import Rig

Floats = npt.NDArray[np.float64]
Mels = npt.NDArray[np.float16]
_OPENING = [LIP_CURVES.index(name) for name in ("jaw", "wide", "low", "up")]
_ACCOMPANIMENTS = 40
_LATE = 0.2
"""Share of blocks whose look-ahead has not come yet, in streams that are not clean."""
_REST_S = 0.16
_WAKE_S = 0.5


@dataclass(frozen=True)
class Voice:
    """`engine` is "espeak" or "flite"; `name` is what that engine calls the voice; `language` picks the words."""

    engine: str
    name: str
    language: str


@dataclass(frozen=True)
class DataRecipe:
    """How much of what."""

    streams: int
    seconds: float
    seed: int
    languages: tuple[str, ...]
    variants: tuple[str, ...]
    flite: tuple[str, ...]
    recorded: float = 0.35
    """Share of flite's voices, which were made from recordings; espeak's are made by rule."""
    played: tuple[float, float] = (1.0, 1.0)
    """How much faster flite's voices are played, which makes another person of each."""
    expressions: str = ""
    """The expression basis file, relative to the recipe; only for a run that begins from nothing."""


@dataclass(frozen=True, eq=False)
class Scene:
    """One person for a while: the sound at `MEDIA_RATE`, and the face that goes with it.

    curves: float32 [frames, CURVES]; rest: [CURVES]; style: rows of the style table; speaking: bool [frames].
    """

    samples: Samples
    curves: npt.NDArray[np.float32]
    rest: npt.NDArray[np.float32]
    style: npt.NDArray[np.int64]
    speaking: npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Stream:
    """A scene as it is trained on: log-mels instead of sound, float16 [4 * (before + frames + ahead), 80], with
    silence around; and what a speech encoder hears of its blocks, float16 [HEARD, blocks, states, width]."""

    mels: Mels
    states: npt.NDArray[np.float16]
    curves: npt.NDArray[np.float32]
    rest: npt.NDArray[np.float32]
    style: npt.NDArray[np.int64]
    speaking: npt.NDArray[np.bool_]


class StreamMaker:
    """Makes streams, the same ones for the same seed but for the flutter that espeak-ng gives its voices."""

    def __init__(self, recipe: DataRecipe, rig: Rig, hearing: Hearing, speech: SpeechEncoder | None = None) -> None:
        self._recipe, self._rig, self._hearing, self._speech = recipe, rig, hearing, speech
        self._espeak = Espeak()
        self._people = People.load()
        self._mel = LogMel(hearing)
        stored = tomllib.loads((Path(__file__).parent / "words.toml").read_text())
        self._codes = {kind: codes.split() for kind, codes in stored.pop("espeak_codes").items()}
        self._words = {language: entry["words"].split() for language, entry in stored.items()}

    def stream(self, number: int) -> Stream:
        """The scene of that number, as it is heard."""
        scene = self.scene(number)
        states = self._states(scene.samples, np.random.default_rng((self._recipe.seed, number, 1)))
        return Stream(self._mels(scene.samples), states, scene.curves, scene.rest, scene.style, scene.speaking)

    def music(self) -> list[Mels]:
        """Accompaniments, as long as the streams."""
        rng = np.random.default_rng((self._recipe.seed, self._recipe.streams))
        return [self._mels(music(rng, self._recipe.seconds)) for _ in range(_ACCOMPANIMENTS)]

    def scene(self, number: int) -> Scene:
        """The scene of that number."""
        rng = np.random.default_rng((self._recipe.seed, number))
        frames = int(self._recipe.seconds * self._hearing.fps) // FRAMES * FRAMES
        words = [str(w) for w in rng.choice(STYLE_WORDS, int(rng.integers(0, 3)), replace=False)]
        manner = Manner()
        for word in words:
            manner = manner.with_(MANNERS[word])
        samples, phones = self._talk(rng, frames)
        speaking = _speaking(phones, frames, self._hearing.fps)
        curves, rest = self._face(rng, samples, phones, speaking, manner)
        style = np.array(style_rows(" ".join(words)))
        return Scene(samples, curves.astype(np.float32), rest.astype(np.float32), style, speaking)

    def _voice(self, rng: np.random.Generator) -> Voice:
        if self._recipe.flite and rng.random() < self._recipe.recorded:
            return Voice("flite", str(rng.choice(self._recipe.flite)), "en")
        language = str(rng.choice(self._recipe.languages))
        name = language + str(rng.choice(self._recipe.variants))
        short = language.split("-")[0]  # a language without words of its own reads another's, in its own way
        return Voice("espeak", name, short if short in self._words else str(rng.choice(sorted(self._words))))

    def _sentence(self, rng: np.random.Generator, voice: Voice) -> str:
        words = [str(w) for w in rng.choice(self._words[voice.language], int(rng.integers(3, 13)))]
        if voice.engine == "espeak" and rng.random() < 0.3:
            words = [f"[[{self._nonsense(rng)}]]" for _ in words[:7]]
        if len(words) > 6:
            words[len(words) // 2] += ","
        return " ".join(words) + str(rng.choice([".", ".", "?", "!"]))

    def _nonsense(self, rng: np.random.Generator) -> str:
        """A word of espeak's own phoneme codes, so that rare sounds come as often as common ones."""

        def one(kind: str) -> str:
            return str(rng.choice(self._codes[kind]))

        syllables = [one("consonants") + one("vowels") for _ in range(int(rng.integers(1, 4)))]
        return "'" + "".join(syllables) + (one("consonants") if rng.random() < 0.4 else "")

    def _say(self, rng: np.random.Generator, voice: Voice) -> Utterance:
        text = self._sentence(rng, voice)
        if voice.engine == "flite":
            said = flite(text, voice.name, stretch=float(rng.uniform(0.85, 1.2)))
            slowest, fastest = self._recipe.played
            return faster(said, float(rng.uniform(slowest, fastest))) if slowest < fastest else said
        speed, pitch = int(rng.integers(125, 235)), int(rng.integers(20, 85))
        return self._espeak.say(text, voice.name, words_per_minute=speed, pitch=pitch)

    def _talk(self, rng: np.random.Generator, frames: int) -> tuple[Samples, list[Phone]]:
        """Sentences, pauses and stretches of listening, one voice: the sound, and every phone in stream time."""
        voice = self._voice(rng)
        total = frames * self._hearing.frame
        samples = np.zeros(total, np.float32)
        phones: list[Phone] = []
        position = int(rng.uniform(0.2, 1.5) * MEDIA_RATE)
        while position < total:
            said = self._say(rng, voice)
            kept = said.samples[: total - position]
            samples[position : position + len(kept)] += kept
            at = position / MEDIA_RATE
            phones.append(Phone(phones[-1].end_s if phones else 0.0, at, "rest"))
            phones.extend(Phone(at + p.start_s, at + p.end_s, p.viseme) for p in said.phones)
            pause = rng.uniform(2.0, 7.0) if rng.random() < 0.12 else rng.gamma(2.0, 0.25)
            position += len(said.samples) + int(pause * MEDIA_RATE)
        phones.append(Phone(phones[-1].end_s, max(phones[-1].end_s, frames / self._hearing.fps) + 1.0, "rest"))
        if rng.random() < 0.3:
            samples = _reverberant(rng, samples)
        loudest = float(np.abs(samples).max())
        return (samples / loudest * 0.5).astype(np.float32), _without_nothing(phones)

    def _mels(self, samples: Samples) -> Mels:
        before, ahead = np.zeros(self._hearing.before, np.float32), np.zeros(self._hearing.ahead, np.float32)
        return self._mel(torch.from_numpy(np.concatenate((before, samples, ahead)))).numpy().astype(np.float16)

    def _states(self, samples: Samples, rng: np.random.Generator) -> npt.NDArray[np.float16]:
        if self._speech is None:
            return np.zeros((0, 1, 1, 1), np.float16)
        ways = (
            samples,
            worn(samples, MEDIA_RATE, rng),
            noisy(samples, MEDIA_RATE, float(rng.uniform(-4.0, 4.0)), rng),
        )
        missing = rng.random(len(samples) // (self._hearing.block_frames * self._hearing.frame)) < _LATE
        heard = [self._heard(self._speech, way, missing if how else None) for how, way in enumerate(ways)]
        return np.stack(heard)

    def _heard(
        self, speech: SpeechEncoder, samples: Samples, missing: npt.NDArray[np.bool_] | None
    ) -> npt.NDArray[np.float16]:
        """All blocks of a stream, [blocks, states, width]; those that are `missing` their look-ahead without it."""
        hearing = self._hearing
        block = hearing.block_frames * hearing.frame
        around = np.concatenate((np.zeros(hearing.past, np.float32), samples, np.zeros(hearing.ahead, np.float32)))
        windows = torch.from_numpy(around).unfold(0, hearing.past + block + hearing.ahead, block).clone()
        if missing is not None:
            windows[torch.from_numpy(missing), -hearing.ahead :] = 0.0
        return speech(windows).numpy().astype(np.float16)

    def _face(
        self,
        rng: np.random.Generator,
        samples: Samples,
        phones: list[Phone],
        speaking: npt.NDArray[np.bool_],
        manner: Manner,
    ) -> tuple[Floats, Floats]:
        """Curves [frames, CURVES] and the rest they begin from."""
        fps, frames = self._hearing.fps, len(speaking)
        column = {name: index for index, name in enumerate(CURVES)}
        rest = np.zeros(len(CURVES))
        rest[[column["yaw"], column["pitch"], column["roll_angle"]]] = np.radians(rng.normal(0, 2.5, 3))
        curves = np.zeros((frames, len(CURVES)))
        speech = self._people["speech"]
        how = Articulation(
            jaw=rng.uniform(*speech["jaw_gain"]) * manner.articulation,
            rounding=rng.uniform(*speech["lip_gain"]) * manner.articulation,
            lips=rng.uniform(*speech["lip_gain"]),
            reach=rng.uniform(0.54, 0.6),
        )
        lips = smoothed(lip_curves(phones, frames, fps, how), 0.85)  # flesh is slower than the pull on it
        closed = lips[:, 4].copy()
        lips[:, 4] = 0.0
        lips[:, _OPENING] *= self._emphasis(rng, samples, frames)[:, None]
        curves[:, : len(LIP_CURVES)] = lips
        self._add_expression(rng, curves, column, samples, speaking, manner)
        self._add_carriage(rng, curves, column, samples, manner)
        face = curves[:, : len(FACE_CURVES)]
        held = np.maximum(closed, smoothed(_mouth_at_rest(phones, frames, fps), 1.0))
        curves[:, column["close"]] = np.maximum(0.0, self._rig.shut(face, held))
        times = (np.arange(frames) + 0.5) / fps
        awake = np.clip((times - _REST_S) / _WAKE_S, 0.0, 1.0)[:, None]
        return rest + awake * curves, rest

    def _add_expression(
        self,
        rng: np.random.Generator,
        curves: Floats,
        column: dict[str, int],
        samples: Samples,
        speaking: npt.NDArray[np.bool_],
        manner: Manner,
    ) -> None:
        frames, fps = len(curves), self._hearing.fps
        slow = wandering(rng, frames, fps, [0.03, 0.2, 0.6], [0.7, 0.3])
        curves[:, column["smile"]] = np.clip(manner.smile + 0.05 + 0.08 * slow, 0.0, 0.8)
        curves[:, column["squint"]] = 0.5 * curves[:, column["smile"]]
        curves[:, column["frown"]] = np.clip(0.04 * wandering(rng, frames, fps, [0.03, 0.4], [1.0]), 0.0, 0.3)
        raised = manner.brows * brow_events(rng, frames, fps, self._accents(samples, frames), self._people)
        curves[:, column["brow_inner"]] = manner.brow_inner + raised * rng.uniform(0.4, 1.0)
        curves[:, column["brow_outer"]] = raised * rng.uniform(0.6, 1.0)
        frowning = 0.05 * wandering(rng, frames, fps, [0.05, 0.5], [1.0])
        curves[:, column["brow_down"]] = np.clip(manner.brow_down + frowning, 0.0, 0.6)

    def _add_carriage(
        self,
        rng: np.random.Generator,
        curves: Floats,
        column: dict[str, int],
        samples: Samples,
        manner: Manner,
    ) -> None:
        frames, fps, head = len(curves), self._hearing.fps, self._people["head"]
        spread = manner.head * np.exp(rng.normal(0, head["spread_between_people"]))
        bands, power = head["band_edges_hz"], head["band_power"]

        def wander() -> Floats:
            return wandering(rng, frames, fps, bands, power)

        for name in ("yaw", "pitch", "roll"):
            angle = "roll_angle" if name == "roll" else name
            limit = np.radians(head["turn_limit"])
            curves[:, column[angle]] = limit * np.tanh(np.radians(head[name + "_sd"]) * spread * wander() / limit)
        nod = np.radians(1.2) * manner.nods * smoothed(self._accents(samples, frames), 2.0)
        curves[:, column["pitch"]] += nod
        breath = np.sin(2 * np.pi * (np.arange(frames) / fps / rng.uniform(3.4, 4.6) + rng.random()))
        curves[:, column["x"]] = -0.18 * curves[:, column["yaw"]] + 0.6 * head["x_sd"] * spread * wander()
        curves[:, column["y"]] = 0.15 * curves[:, column["pitch"]] + 0.5 * head["y_sd"] * spread * wander()
        curves[:, column["y"]] -= 0.0025 * breath
        curves[:, column["log_scale"]] = 0.8 * head["log_scale_sd"] * spread * wander() + 0.002 * breath
        looking = gaze(rng, frames, fps, self._people, manner.gaze)
        compensation = self._people["gaze"]["compensation"]
        curves[:, column["gaze_x"]] = looking[:, 0] + compensation * curves[:, column["yaw"]]
        curves[:, column["gaze_y"]] = looking[:, 1] - compensation * curves[:, column["pitch"]]
        lids = blinks(rng, frames, fps, self._people, manner.blinks)
        droop = np.clip(2.0 * looking[:, 1], -0.15, 0.2)
        for name in ("lid_right", "lid_left"):
            curves[:, column[name]] = np.clip(lids + (1 - lids) * droop, -0.2, 1.0)

    def _emphasis(self, rng: np.random.Generator, samples: Samples, frames: int) -> Floats:
        """How much wider than usual the mouth opens: with the voice's strength, and as it pleases, [frames]."""
        speech = self._people["speech"]
        energy = smoothed(np.sqrt((samples.reshape(frames, -1) ** 2).mean(1)), 1.2)
        level = np.log(energy + 0.02 * energy.max())
        heard = level[energy > 0.06 * energy.max()]
        stronger = np.clip((level - heard.mean()) / (heard.std() + 1e-3), -2.0, 2.0)
        own = wandering(rng, frames, self._hearing.fps, [0.05, 0.5, 1.5], [0.6, 0.4])
        return np.exp(rng.uniform(*speech["emphasis"]) * smoothed(stronger, 1.0) + speech["whim"] * own)

    def _accents(self, samples: Samples, frames: int) -> Floats:
        """How much louder than its surroundings the voice is, about 0..1: [frames]."""
        energy = np.sqrt((samples.reshape(frames, -1) ** 2).mean(1))
        fast, slow = smoothed(energy, 2.0), smoothed(energy, 20.0)
        return np.clip((fast - slow) / (energy.std() + 1e-4), 0.0, 2.0) / 2.0


def _mouth_at_rest(phones: list[Phone], frames: int, fps: int) -> Floats:
    """1 in the middle of pauses longer than a breath, where the lips meet: [frames]."""
    times = (np.arange(frames) + 0.5) / fps
    rest = np.zeros(frames)
    for phone in phones:
        if phone.viseme == "rest" and phone.end_s - phone.start_s > 0.3:
            rest[(times > phone.start_s + 0.12) & (times < phone.end_s - 0.12)] = 1.0
    return rest


def _speaking(phones: list[Phone], frames: int, fps: int) -> npt.NDArray[np.bool_]:
    times = (np.arange(frames) + 0.5) / fps
    speaking = np.zeros(frames, np.bool_)
    for phone in phones:
        if phone.viseme != "rest":
            speaking |= (times >= phone.start_s) & (times < phone.end_s)
    return speaking


def _without_nothing(phones: list[Phone]) -> list[Phone]:
    """Phones that last; rests that touch become one."""
    kept: list[Phone] = []
    for phone in phones:
        if phone.end_s - phone.start_s < 1e-3:
            continue
        if kept and kept[-1].viseme == phone.viseme == "rest":
            kept[-1] = Phone(kept[-1].start_s, phone.end_s, "rest")
        else:
            kept.append(phone)
    return kept


def _reverberant(rng: np.random.Generator, samples: Samples) -> Samples:
    """The sound in a small room."""
    seconds = rng.uniform(0.15, 0.5)
    length = int(seconds * MEDIA_RATE)
    tail = rng.normal(0, 1, length) * np.exp(-6.9 * np.arange(length) / length)
    tail *= rng.uniform(0.1, 0.5) / np.sqrt((tail**2).sum())
    tail[0] += 1.0
    size = len(samples) + length
    wet = np.fft.irfft(np.fft.rfft(samples, size) * np.fft.rfft(tail, size), size)
    return wet[: len(samples)].astype(np.float32)
