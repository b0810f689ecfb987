"""LanguageModel: the words of the built-in companion, by SmolLM2-135M through llama.cpp on this machine.

So small a model answers well only when it is shown how: a few exchanges stand before the conversation and carry the
manner (short, warm, plain). They are read once, at the beginning; what llama.cpp has read it does not read again.
"""

from __future__ import annotations

import enum
import secrets
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from core.dialogue.protocol import Message

FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
_SYSTEM = "You are a friendly companion. You reply in one or two short sentences."


class Manner(enum.IntEnum):
    """How to answer, each with a place of its own in the model's memory."""

    CHAT = 0
    EXPLAIN = 1


_SHOWN = {
    Manner.CHAT: (
        ("I had a long day at work.", "That sounds hard. What was the worst part of it?"),
        ("My sister is getting married in June.", "How lovely! Are you looking forward to the wedding?"),
        ("I went swimming yesterday.", "Nice to know. How was the water?"),
        ("My grandmother is ill.", "I'm sorry to hear that. Is somebody looking after her?"),
        ("I have a brother.", "I see. What is your brother like?"),
        ("I'm going to Paris next week.", "That sounds great! Will you see the Eiffel Tower?"),
        ("I don't like winter.", "I understand. Which season do you like best?"),
        ("I'm reading a good book.", "That's interesting. What is the book about?"),
    ),
    Manner.EXPLAIN: (
        ("What is the largest ocean?", "The largest ocean is the Pacific Ocean."),
        ("What should I cook tonight?", "Something easy, like pasta with tomatoes and garlic."),
        ("Why do leaves fall in autumn?", "Trees drop their leaves to save water and energy for the winter."),
        ("Who painted the Mona Lisa?", "Leonardo da Vinci painted the Mona Lisa."),
        ("How do boats float?", "A boat floats because it pushes aside water that weighs as much as the boat."),
        ("How can I learn to draw?", "Practise a little every day, and draw what you see around you."),
        ("Tell me about bees.", "Bees live in large families and make honey from the nectar of flowers."),
        ("Is it good to walk every day?", "Yes, a daily walk is good for the heart and for the mood."),
    ),
}
_CONTEXT = 768
_TOKENS = 56
_REMEMBERED = 2
_LONGEST_MESSAGE = 240
_READ_AT_ONCE = 180
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-"})


class LanguageModel:
    """SmolLM2 in `folder`, run with one thread. Belongs to the thread that made it.

    The same conversation gives the same words for the same `seed`.

    Raises:
        OSError: the file is missing.
        ImportError: llama.cpp (the package xllamacpp) is not installed.
        ValueError: the file is not a model.
    """

    def __init__(self, folder: Path, seed: int = 0) -> None:
        xllamacpp = import_module("xllamacpp")  # a hundred megabytes without types: loaded by the thread that needs it

        path = folder / FILE
        if not path.is_file():
            raise FileNotFoundError(path)
        try:
            self._server = xllamacpp.Server(_parameters(xllamacpp, path))
        except RuntimeError as error:
            raise ValueError(f"the language model in {folder} cannot be loaded: {error}") from error
        self._seed = seed
        self._read = dict.fromkeys(Manner, "")

    def learn(self, conversation: Sequence[Message]) -> Iterator[None]:
        """Read `conversation` ahead of time, so that the answer to what follows it begins sooner. One step takes some
        tenths of a second, so that whoever drives it can turn to something else in between."""
        for manner in Manner:
            text = _prompt(manner, conversation[-_REMEMBERED:]) + "<|im_start|>user\n"
            end = _common(self._read[manner], text)  # to ask for less than what was read would forget the rest
            while end < len(text):
                end = min(end + _READ_AT_ONCE, len(text))
                self._complete(manner, text[:end], 1, lambda _: False)
                yield

    def answer(self, manner: Manner, conversation: Sequence[Message], begun: str, hear: Callable[[str], bool]) -> None:
        """Call `hear` with each piece of the answer to the last message, until the answer ends or `hear` is False.
        `begun` is how the answer begins already; it is not given again. Blocks meanwhile."""
        prompt = _prompt(manner, conversation[-_REMEMBERED - 1 :]) + "<|im_start|>assistant\n" + begun
        self._complete(manner, prompt, _TOKENS, hear)

    def _complete(self, manner: Manner, prompt: str, tokens: int, hear: Callable[[str], bool]) -> None:
        raised: list[Exception] = []

        def take(piece: dict[str, Any]) -> bool:  # True stops llama.cpp
            try:
                text: str = piece["choices"][0]["text"]
                return not hear(text) if text else False
            except Exception as error:  # noqa: BLE001 - llama.cpp would swallow it
                raised.append(error)
                return True

        request = {
            "prompt": prompt,
            "max_tokens": tokens,
            "stream": True,
            "cache_prompt": True,
            "id_slot": int(manner),
            "seed": self._seed,
            "temperature": 0.2,
            "min_p": 0.2,
            "stop": ["<|im_end|>", "\n"],
        }
        self._server.handle_completions(request, take)
        if raised:
            raise raised[0]
        self._read[manner] = prompt


def _parameters(xllamacpp: Any, path: Path) -> Any:  # the package has no types
    """One thread, no log. The server inside listens on the loopback interface whether it is wanted
    or not: it gets a key that nobody knows. It neither loads the file twice to see what fits into memory nor warms
    up, which `learn` does: while it is made nothing in Python goes on."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.n_ctx = _CONTEXT * len(Manner)
    parameters.n_parallel = len(Manner)
    parameters.kv_unified = False
    parameters.cpuparams.n_threads = 1
    parameters.cpuparams_batch.n_threads = 1
    parameters.n_threads_http = 1
    parameters.cache_ram_mib = 0
    parameters.fit_params = False
    parameters.warmup = False
    parameters.verbosity = 0
    parameters.api_keys = [secrets.token_hex(16)]
    parameters.endpoint_slots = False
    parameters.endpoint_props = False
    parameters.ui = False
    return parameters


def _prompt(manner: Manner, messages: Sequence[Message]) -> str:
    """`messages` in the model's chat format, behind the examples of `manner`."""
    turns = [("system", _SYSTEM)]
    for said, answered in _SHOWN[manner]:
        turns += [("user", said), ("assistant", answered)]
    turns += [(message.role, _plain(message.text)) for message in messages]
    return "".join(f"<|im_start|>{role}\n{words}<|im_end|>\n" for role, words in turns)


def _common(first: str, second: str) -> int:
    """How many letters both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((at for at, (one, other) in pairs if one != other), min(len(first), len(second)))


def _plain(text: str) -> str:
    """The end of `text` in one line of letters the model knows, with nothing the chat format would take for its own."""
    letters = text.translate(_QUOTES).encode("ascii", "ignore").decode()
    return " ".join(letters.replace("<|", " ").replace("|>", " ").split())[-_LONGEST_MESSAGE:]
