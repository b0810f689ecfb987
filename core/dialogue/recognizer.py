"""Recognizer: the words in recorded English speech, by Moonshine tiny on this machine.

The encoder takes raw sound; the decoder gives one token at a time, greedily, with its keys and values cached.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from core.media import CAPTURE_RATE
from core.network import open_network

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from core.media import Samples

FILES = ("encoder_model.ort", "decoder_model_merged.ort", "tokenizer.bin")
_LAYERS, _HEADS, _HEAD_SIZE = 6, 8, 36
_BEGIN, _END = 1, 2
_TOKENS_A_SECOND = 6.5
"""More than anybody says; what goes beyond it is the decoder running in a circle (the authors' own limit)."""
_SHORTEST = CAPTURE_RATE // 4
_LONGEST_WINDOW = 20 * CAPTURE_RATE
_CUT_FROM = 12 * CAPTURE_RATE
_HOP = CAPTURE_RATE // 50


@dataclass(frozen=True)
class Heard:
    """What was understood. `confidence` 0..1 is the mean probability of the tokens chosen; `closing` that of the full
    stop, question or exclamation mark at the end, 0 where the words end without one."""

    text: str
    confidence: float
    closing: float = 0.0
    states: Samples | None = field(default=None, compare=False)
    """The encoder's, [positions, 288], 24 ms each, of the last window."""


class Recognizer:
    """Moonshine tiny-en in `folder`, run with one thread. Belongs to the thread that made it.

    Raises:
        OSError: a file is missing or cannot be read.
        ValueError: a file is not what it should be.
    """

    def __init__(self, folder: Path) -> None:
        self._tokens = read_tokens((folder / "tokenizer.bin").read_bytes())
        self._encoder, self._decoder = (open_network(folder / name) for name in FILES[:2])
        self._past_names = [item.name for item in self._decoder.get_inputs() if item.name.startswith("past_")]

    def __call__(self, speech: Samples, wanted: Callable[[], bool] = lambda: True) -> Heard:
        """The words of `speech`, mono at `CAPTURE_RATE`. Long speech is taken in windows cut where it is quietest.
        Once `wanted` is false it returns early with what it has."""
        texts: list[str] = []
        probabilities: list[float] = []
        states: Samples | None = None
        for window in windows(speech):
            if not wanted():
                break
            states = self.encode(window)
            tokens, chances = self._decode(states, len(window), wanted)
            probabilities += chances
            texts.append(self._text(tokens))
        mean = float(np.mean(probabilities)) if probabilities else 0.0
        text = " ".join(text for text in texts if text)
        return Heard(text, mean, probabilities[-1] if text[-1:] in set(".?!") else 0.0, states)

    def encode(self, window: Samples) -> Samples:
        """The encoder's states of speech of up to twenty seconds, [positions, 288], 24 ms each."""
        if len(window) < _SHORTEST:
            window = np.pad(window, (0, _SHORTEST - len(window)))
        sound = window[None, :].astype(np.float32)
        mask = np.ones(sound.shape, np.int64)
        return np.asarray(self._encoder.run(None, {"input_values": sound, "attention_mask": mask})[0])[0]

    def _decode(self, states: Samples, samples: int, wanted: Callable[[], bool]) -> tuple[list[int], list[float]]:
        samples = max(samples, _SHORTEST)
        mask = np.ones((1, samples), np.int64)  # of samples, for the decoder too
        past = dict.fromkeys(self._past_names, np.zeros((0, _HEADS, 1, _HEAD_SIZE), np.float32))
        tokens, chances, last = list[int](), list[float](), _BEGIN
        limit = round(samples / CAPTURE_RATE * _TOKENS_A_SECOND) + 2
        while len(tokens) < limit and wanted():
            cached = bool(tokens)
            logits, *present = self._decoder.run(
                None,
                {
                    "input_ids": np.array([[last]], np.int64),
                    "encoder_hidden_states": states[None],
                    "encoder_attention_mask": mask,
                    "use_cache_branch": np.array([cached]),
                    **past,
                },
            )
            for name, value in zip(self._past_names, present, strict=True):
                if not cached or ".decoder." in name:  # the encoder's half comes once, with the first token
                    past[name] = np.asarray(value)
            scores = np.asarray(logits)[0, -1]
            last = int(scores.argmax())
            if last == _END:
                break
            tokens.append(last)
            chances.append(float(1.0 / np.exp(scores - scores[last]).sum()))
        return tokens, chances

    def _text(self, tokens: list[int]) -> str:
        joined = b"".join(self._tokens[token] for token in tokens)
        return joined.replace("▁".encode(), b" ").decode("utf-8", "ignore").strip()


def windows(speech: Samples) -> list[Samples]:
    """`speech` in pieces of at most twenty seconds, cut at the quietest moment of the last eight."""
    pieces: list[Samples] = []
    while len(speech) > _LONGEST_WINDOW:
        region = speech[_CUT_FROM:_LONGEST_WINDOW]
        energy = np.square(region[: len(region) // _HOP * _HOP].reshape(-1, _HOP)).sum(axis=1)
        smooth = np.convolve(energy, np.ones(10), mode="same")
        cut = _CUT_FROM + int(smooth.argmin()) * _HOP
        pieces.append(speech[:cut])
        speech = speech[cut:]
    return [*pieces, speech]


def read_tokens(table: bytes) -> list[bytes]:
    """Moonshine's token table: each entry is a length (one byte, or two when the first is 128 or more: low seven
    bits, then the rest) and that many bytes.

    Raises:
        ValueError: the table ends in the middle of an entry.
    """
    tokens: list[bytes] = []
    at = 0
    while at < len(table):
        length, at = table[at], at + 1
        if length >= 128 and at < len(table):
            length, at = length - 128 + 128 * table[at], at + 1
        if at + length > len(table):
            raise ValueError("the token table of the speech model is cut off")
        tokens.append(table[at : at + length])
        at += length
    return tokens
