"""Context: what of a conversation fits into a model that remembers only so much.

The persona and the newest turn always go. Of what was said before, sound is the first to give way to words, oldest
first; then whole exchanges are left out, oldest first, so that no answer stands there without its question.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from core.dialogue.profile import EndpointProfile
    from core.dialogue.protocol import Message

TOKENS_PER_SECOND = 12.5
"""What a second of sound costs of the context, with Qwen3-Omni's own encoder."""
_ROOM_TO_ANSWER = 2_000
_FRAME = 4
"""Tokens around every message: who says it."""


@dataclass(frozen=True)
class Told:
    """What a model is told of the conversation before the newest turn, oldest first; `as_sound` are the numbers of the
    turns that go as sound."""

    messages: tuple[Message, ...]
    as_sound: frozenset[int] = frozenset()


def fitting(history: Sequence[Message], sounds: Mapping[int, float], room: int, *, halved: bool = False) -> Told:
    """What of `history` fits into about `room` tokens.

    Args:
        sounds: seconds of sound that are kept of earlier turns, by number; it serves for turns without words.
        halved: only the newer half of it, because all of it was too much after all.
    """
    exchanges = _exchanges(history)
    as_sound = sorted(message.turn for message in history if _wants_sound(message) and message.turn in sounds)
    taken = sum(_cost(message, sounds if message.turn in as_sound else {}) for message in history)
    while as_sound and taken > room:
        taken -= round(sounds[as_sound.pop(0)] * TOKENS_PER_SECOND)
    while exchanges and taken > room:
        taken -= sum(_cost(message, sounds if message.turn in as_sound else {}) for message in exchanges.pop(0))
    if halved:
        exchanges = exchanges[(len(exchanges) + 1) // 2 :]
    messages = tuple(message for exchange in exchanges for message in exchange)
    return Told(messages, frozenset(as_sound) & {message.turn for message in messages})


def room_for_history(profile: EndpointProfile, instructions: str, newest: str | float) -> int:
    """Tokens that are left for what was said before; `newest` is the newest turn, its words or its seconds."""
    turn = estimated_tokens(newest) if isinstance(newest, str) else _FRAME + round(newest * TOKENS_PER_SECOND)
    context = profile.context_tokens
    return max(0, context - min(_ROOM_TO_ANSWER, context // 4) - estimated_tokens(instructions) - turn)


def estimated_tokens(text: str) -> int:
    """About how many tokens a model makes of `text` and of the frame around it: one of an ideograph, of letters beyond
    English every second, of others every fourth."""
    ideographs = sum(letter > "\u2e7f" for letter in text)
    foreign = sum("\u007f" < letter <= "\u2e7f" for letter in text)
    return _FRAME + ideographs + -(-foreign // 2) + -(-(len(text) - ideographs - foreign) // 4)


def _exchanges(history: Sequence[Message]) -> list[list[Message]]:
    """What was said, and what was answered to it."""
    exchanges: list[list[Message]] = []
    for message in history:
        if message.role == "user" or not exchanges:
            exchanges.append([])
        exchanges[-1].append(message)
    return exchanges


def _wants_sound(message: Message) -> bool:
    return message.role == "user" and not message.text


def _cost(message: Message, sounds: Mapping[int, float]) -> int:
    sound = round(sounds.get(message.turn, 0.0) * TOKENS_PER_SECOND) if _wants_sound(message) else 0
    return estimated_tokens(message.text) + sound
