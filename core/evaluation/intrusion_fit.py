"""Teaching `Leaning` what signs of listening sound like before they are over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from core.evaluation.echo import Play, Scene, avatar_voice
from core.listening.claims import Leaning, summary
from core.listening.vad import WINDOW
from core.media import CAPTURE_RATE, AudioChunk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from core.evaluation.intrusion_material import Uttered
    from core.listening.vad import Vad
    from core.media import Samples

BEFORE_S = 0.4
_VOICE = (4, 6, 8, 10, 12, 14, 18)
"""Windows of voice after which the sound is looked at, while it goes on."""
_SILENCE = (3, 7)
"""Windows of silence after it."""
_LATEST_S = 0.9
_LEVEL_DB = -26.0
_NOISE_DB = (-66.0, -46.0)
_SWALLOWED = 0.25
"""The share of which a canceller took the beginning."""
_LONGEST = int(1.2 * CAPTURE_RATE)
_EVERY_S = 2.8
_NETWORKS, _HIDDEN = 3, 48
_EPOCHS = 12


@dataclass(frozen=True, eq=False)
class Moment:
    """What has been said of `of` after `voice_s`; the sound begins `BEFORE_S` before the voice."""

    of: Uttered
    samples: Samples
    voice_s: float


def in_quiet(uttered: Uttered, vad: Vad, rng: np.random.Generator) -> Iterator[Moment]:
    """The moments at which somebody might ask, in a room as loud as it happens to be."""
    yield from _moments(uttered, _in_a_room(uttered.samples, rng), vad)


def beside_the_loudspeaker(some: Sequence[Uttered], minutes: float, vad: Vad, seed: int) -> Iterator[Moment]:
    """The same while the avatar speaks, of as many as have room in `minutes`, after the echo guard."""
    rng = np.random.default_rng(seed)
    chosen = [some[index] for index in rng.permutation(len(some))]
    sounds = tuple((str(index), one.samples[:_LONGEST]) for index, one in enumerate(chosen))
    scene = Scene("fitting", minutes, interrupted_every_s=_EVERY_S, sounds=sounds)
    play = Play(scene, avatar_voice(), vad)
    play.crank(minutes)
    clean = np.concatenate(play.clean)
    for said in play.said:
        sound = clean[said.start - int(0.6 * CAPTURE_RATE) : said.end + CAPTURE_RATE // 2]
        yield from _moments(chosen[int(said.what)], sound, vad)


def _moments(uttered: Uttered, sound: Samples, vad: Vad) -> Iterator[Moment]:
    vad.reset()
    loud = gap = onset = 0
    for at in range(0, len(sound) - WINDOW, WINDOW):
        end = at + WINDOW
        if vad(AudioChunk(sound[at:end], at)) < (0.35 if loud else 0.5):
            gap += 1
        else:
            onset = onset if loud else at
            loud, gap = loud + 1, 0
        asked = (loud in _VOICE and gap == 0) or (loud >= _VOICE[0] and gap in _SILENCE)
        if asked and end - onset <= _LATEST_S * CAPTURE_RATE:
            start = max(0, onset - int(BEFORE_S * CAPTURE_RATE))
            yield Moment(uttered, sound[start:end], (end - onset) / CAPTURE_RATE)


def fit(asked: Iterable[Moment], encode: Callable[[Samples], Samples]) -> Leaning:
    """By AdamW; signs count as much as everything else together.

    Args:
        encode: the recogniser's states of a sound.
    """
    features: list[Samples] = []
    signs: list[bool] = []
    for moment in asked:
        features.append(summary(encode(moment.samples), BEFORE_S, moment.voice_s))
        signs.append(moment.of.sign)
    return learn(np.stack(features), np.array(signs))


def learn(features: Samples, signs: NDArray[np.bool_]) -> Leaning:
    """From what `summary` gave, [moments, features], and whether each belongs to a sign: the mean of some networks that
    began differently."""
    mean, scale = features.mean(0), (features.std(0) + 1e-3).astype(np.float32)
    given, wanted = torch.from_numpy((features - mean) / scale), torch.from_numpy(signs.astype(np.float32))
    learned = [_network(given, wanted, seed) for seed in range(_NETWORKS)]
    merged = (torch.cat(parts, -1).detach().numpy() for parts in zip(*learned, strict=True))
    inner, inner_bias, outer, outer_bias = merged
    return Leaning(
        mean, scale, inner, inner_bias, (outer / _NETWORKS).astype(np.float32), outer_bias.mean(keepdims=True)
    )


def _network(given: torch.Tensor, wanted: torch.Tensor, seed: int) -> tuple[torch.Tensor, ...]:
    """Weights and biases of one: [features, hidden], [hidden], [hidden], [1]."""
    torch.manual_seed(seed)
    weights = torch.where(wanted > 0, 0.5 / wanted.mean(), 0.5 / (1 - wanted.mean()))
    inner, outer = torch.nn.Linear(given.shape[1], _HIDDEN), torch.nn.Linear(_HIDDEN, 1)
    parts = (torch.nn.Dropout(0.1), inner, torch.nn.ReLU(), torch.nn.Dropout(0.3), outer)
    network = torch.nn.Sequential(*parts)
    optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=0.1)
    for _ in range(_EPOCHS):
        for some in torch.randperm(len(given)).split(256):
            optimizer.zero_grad()
            guessed = network(given[some])[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(guessed, wanted[some], weights[some])
            loss.backward()
            optimizer.step()
    return inner.weight.T, inner.bias, outer.weight[0], outer.bias


def _in_a_room(voice: Samples, rng: np.random.Generator) -> Samples:
    if rng.random() < _SWALLOWED:
        voice = voice.copy()
        cut = min(len(voice) // 2, int(rng.uniform(0.04, 0.16) * CAPTURE_RATE))
        voice[:cut] *= np.linspace(0.1, 1, cut, dtype=np.float32)
    level = 10 ** ((_LEVEL_DB + rng.normal(0, 3)) / 20) / float(np.sqrt(np.mean(np.square(voice))))
    lead = np.zeros(int(0.6 * CAPTURE_RATE) + int(rng.integers(WINDOW)), np.float32)
    sound = np.concatenate([lead, voice[:_LONGEST] * level, np.zeros(CAPTURE_RATE // 2, np.float32)])
    noise = rng.normal(0, 10 ** (rng.uniform(*_NOISE_DB) / 20), len(sound))
    return (sound + noise).astype(np.float32)
