"""Fits `core.listening.wording` to collections of English sentences: which words complete one, and which do not.

    python -m core.evaluation.wording --tatoeba FILE FILE --clinc FILE --nlu FILE \
        --switchboard FILE --out wording.npz

The files, and where they come from: assets/models/turns/MODEL_CARD.md.
"""

from __future__ import annotations

import argparse
import collections
import json
import random
import re
import sys
from functools import cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from core.evaluation.turn_sentences import Part, sentences
from core.listening.wording import LONGEST_PHRASE, UNKNOWN, phrase_key, read_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SIZE, STATES, KNOWN = 32, 96, 6000
_SEED, _EPOCHS, _BATCH, _RATE = 1, 7, 256, 6e-3
_HELD_OUT = 4000
_LONGEST = 30
_LENGTHS = 6
_FILLERS = ("um", "uh", "er")
_FILLED, _FOLLOWED, _UNHEARD = 0.15, 0.25, 0.03
"""Shares of sentences with a filler put in, of those that follow another sentence, and of words that are not known:
what people do, and recognisers."""
_EARLIER_END = 0.4
"""How much the end of an earlier sentence counts: it could have been all, and was not."""

_COULD_BE_ALL = 0.3
"""How much a place inside counts at which another sentence of the collections is over."""
_AVERAGED = 0.998
"""What a step leaves of the mean of the network's weights: the mean depends less on chance than the last of them."""
_UNSURE, _LEAST_ODDS = 0.3, 0.5
"""Sentences added to those that end and to those that go on, for phrases; and the odds from which on one is kept."""
_ORDERS = "NLU evaluation data"
"""Of which no phrase is taken: many are keywords, which begin orders as well."""
_GOES_ON = frozenset((*_FILLERS, "so", "and", "but", "or", "well", "because", "like"))
"""Last words of what people say alone in a call, and do not mean as a turn."""


def tatoeba(path: Path) -> Iterator[str]:
    """The English side of a list of pairs, tab between them. Usual sentences have several translations."""
    yield from (line.split("\t")[0] for line in path.read_text("utf-8").splitlines())


def clinc(path: Path) -> Iterator[str]:
    """What people asked a machine, in scope and out of it."""
    for part in json.loads(path.read_text("utf-8")).values():
        yield from (text for text, _ in part)


def nlu(path: Path) -> Iterator[str]:
    """What people would ask a machine at home."""
    yield from (example["text"] for example in json.loads(path.read_text("utf-8"))["rasa_nlu_data"]["common_examples"])


def switchboard(path: Path) -> Iterator[str]:
    """Whole utterances of calls, disfluencies marked as in Meteer 1995: "/" ends one, "-/" and "--" break off."""
    for line in path.read_text("latin-1").splitlines():
        if turn := re.match(r"[AB]\.\d+:(.*)", line):
            text = re.sub(r"<[^>]*>|\*\[\[.*?\]\]|\{[A-Z] |[\[\]}+]", "", turn[1])
            text = re.sub(r"\b\w+-,?\s", " ", text)
            whole = (part.strip() for part in re.split(r"(?<!-)/", text))
            yield from (part for part in whole if part and "--" not in part and not part.endswith("-"))


class Network(nn.Module):
    """After each of some words, the logarithm of the odds that it was the last."""

    def __init__(self, known: int) -> None:
        super().__init__()
        self.table = nn.Embedding(known + UNKNOWN + 1, SIZE, padding_idx=0)
        self.drop = nn.Dropout(0.2)
        self.memory = nn.GRU(SIZE, STATES, batch_first=True)
        self.outward = nn.Linear(STATES, 1)

    def forward(self, rows: Tensor) -> Tensor:
        """[batch, words] of rows of the table -> [batch, words]."""
        states, _ = self.memory(self.drop(self.table(rows)))
        return self.outward(self.drop(states))[..., 0]


Example = tuple[list[int], list[float], list[float]]
"""Rows of the table, which of the words was the last, and how much each of them counts."""


class Examples:
    """Makes sentences into examples: all the places at which one is not over weigh as much as its end, less those at
    which it could have been over."""

    def __init__(self, sentences: Sequence[list[str]], rows: dict[str, int], chance: random.Random) -> None:
        self._sentences = sentences
        self._whole = {tuple(words) for words in sentences}
        self._rows = rows
        self._chance = chance

    def plain(self, words: list[str]) -> Example:
        inside = len(words) - 1
        could_be_all = (tuple(words[: n + 1]) in self._whole for n in range(inside))
        weights = [(_COULD_BE_ALL if known else 1.0) / inside for known in could_be_all]
        return [self._rows.get(word, UNKNOWN) for word in words], [0.0] * inside + [1.0], [*weights, 1.0]

    def as_spoken(self, words: list[str]) -> Example:
        """With what people put in, what comes before it, and what a recogniser misses."""
        rows, ends, weights = self._hesitant(words)
        if self._chance.random() < _FOLLOWED:
            before, its_ends, its_weights = self._hesitant(self._chance.choice(self._sentences))
            if len(before) <= _LONGEST // 2:
                its_weights[-1] = _EARLIER_END
                rows, ends, weights = before + rows, its_ends + ends, its_weights + weights
        heard = [UNKNOWN if self._chance.random() < _UNHEARD else row for row in rows]
        return heard, ends, weights

    def _hesitant(self, words: list[str]) -> Example:
        if self._chance.random() >= _FILLED:
            return self.plain(words)
        at = self._chance.randrange(len(words))
        return self.plain([*words[:at], self._chance.choice(_FILLERS), *words[at:]])


def padded(examples: Sequence[Example]) -> tuple[Tensor, Tensor, Tensor]:
    """[batch, words] each: rows, ends, weights."""
    longest = max(len(rows) for rows, _, _ in examples)
    rows, ends, weights = (
        np.array([[*example[part], *[0] * (longest - len(example[part]))] for example in examples]) for part in range(3)
    )
    return torch.from_numpy(rows), torch.from_numpy(ends).float(), torch.from_numpy(weights).float()


def fit(network: Network, sentences: list[list[str]], examples: Examples, chance: random.Random) -> None:
    """Ends with the mean of the `network` over its steps, the last ones counting most."""
    mean = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(_AVERAGED))
    steps = _EPOCHS * -(-len(sentences) // _BATCH)
    optimizer = torch.optim.Adam(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    network.train()
    for epoch in range(_EPOCHS):
        alike = sorted(sentences, key=lambda words: len(words) + 4 * chance.random())  # little padding
        batches = [alike[at : at + _BATCH] for at in range(0, len(alike), _BATCH)]
        chance.shuffle(batches)
        total = 0.0
        for batch in batches:
            rows, ends, weights = padded([examples.as_spoken(words) for words in batch])
            losses = nn.functional.binary_cross_entropy_with_logits(network(rows), ends, reduction="none")
            loss = (losses * weights).sum() / weights.sum()
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            mean.update_parameters(network)
            total += float(loss.detach())
        print(f"epoch {epoch + 1}: loss {total / len(batches):.4f}", flush=True)
    network.load_state_dict(mean.module.state_dict())
    network.eval()


@torch.no_grad()
def area(network: Network, examples: Sequence[Example]) -> float:
    """Area under the curve of ends against places inside, each sentence weighing the same."""
    rows, ends, weights = (part.numpy() for part in padded(examples))
    odds = network(torch.from_numpy(rows)).numpy()
    order = np.argsort(odds[weights > 0])
    truth, counted = ends[weights > 0][order], weights[weights > 0][order]
    wrong = np.cumsum(counted * (1 - truth)) - 0.5 * counted * (1 - truth)
    return float(np.sum(counted * truth * wrong) / (np.sum(counted * truth) * np.sum(counted * (1 - truth))))


def usual(sentences: Sequence[Sequence[str]]) -> np.ndarray:
    """For 1, 2 ... words the logarithm of how many sentences end with them, against how many go on, counted as
    `Examples` counts; 0 from where more of them end."""
    lengths = np.bincount([len(words) for words in sentences], minlength=_LENGTHS + 2).astype(float)
    longer = lengths[2:] / np.arange(1, len(lengths) - 1)  # what each sentence counts at each of its places inside
    goes_on = np.cumsum(longer[::-1])[::-1]
    ends = np.maximum(1.0, lengths[1 : _LENGTHS + 1])
    return np.minimum(0.0, np.log(ends / np.maximum(1e-6, goes_on[:_LENGTHS])))


def phrases(sentences: Sequence[Sequence[str]]) -> dict[int, float]:
    """For short sentences that are over there rather than go on, by `phrase_key`, the logarithm of the odds of it,
    counted as `Examples` counts."""
    often = collections.Counter(tuple(words) for words in sentences)
    short = (words for words in often if len(words) <= LONGEST_PHRASE)
    goes_on: dict[tuple[str, ...], float] = collections.defaultdict(float)
    for words, count in often.items():
        for n in range(1, min(LONGEST_PHRASE + 1, len(words))):
            goes_on[words[:n]] += count / (len(words) - 1)
    odds = {words: (often[words] + _UNSURE) / (goes_on[words] + _UNSURE) for words in short}
    kept = {words: ratio for words, ratio in odds.items() if ratio >= _LEAST_ODDS and words[-1] not in _GOES_ON}
    return {phrase_key(words): float(np.log(ratio)) for words, ratio in kept.items()}


def save(network: Network, words: Sequence[str], prior: np.ndarray, known: dict[int, float], path: Path) -> None:
    def with_bias(weight: Tensor, bias: Tensor) -> np.ndarray:
        return torch.cat([weight.T, bias[None]]).detach().numpy().astype(np.float16)

    memory = dict(network.memory.named_parameters())
    np.savez_compressed(
        path,
        words=np.array("\n".join(words)),
        table=network.table.weight.detach().numpy().astype(np.float16),
        inward=with_bias(memory["weight_ih_l0"], memory["bias_ih_l0"]),
        onward=with_bias(memory["weight_hh_l0"], memory["bias_hh_l0"]),
        outward=with_bias(network.outward.weight, network.outward.bias)[:, 0],
        usual=prior.astype(np.float16),
        phrases=np.array(sorted(known), np.uint32),
        phrase_odds=np.array([known[key] for key in sorted(known)], np.float16),
    )


@cache
def measured() -> frozenset[tuple[str, ...]]:
    """What turn-taking is measured with, but for phrases: those are what everybody says."""
    said = (tuple(read_words(text)) for part in Part for text in sentences(part))
    return frozenset(words for words in said if len(words) > LONGEST_PHRASE)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m core.evaluation.wording", description=__doc__)
    parser.add_argument("--tatoeba", type=Path, required=True, nargs="+")
    for name in ("clinc", "nlu", "switchboard", "out"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    options = parser.parse_args(argv)
    torch.manual_seed(_SEED)
    torch.set_num_threads(1)
    chance = random.Random(_SEED)
    sources = {
        "Tatoeba": chain.from_iterable(map(tatoeba, options.tatoeba)),
        "CLINC150": clinc(options.clinc),
        _ORDERS: nlu(options.nlu),
        "Switchboard": switchboard(options.switchboard),
    }
    told = [(name, read_words(text)) for name, texts in sources.items() for text in texts]
    told = [(name, words) for name, words in told if 0 < len(words) <= _LONGEST and tuple(words) not in measured()]
    chance.shuffle(told)
    held, learned = told[:_HELD_OUT], [words for _, words in told[_HELD_OUT:]]
    usual_ones = phrases([words for name, words in told[_HELD_OUT:] if name != _ORDERS])
    counts = collections.Counter(word for words in learned for word in words)
    known = [word for word, count in counts.most_common(KNOWN) if count > 1]
    examples = Examples(learned, {word: row for row, word in enumerate(known, UNKNOWN + 1)}, chance)
    network = Network(len(known))
    print(f"{len(learned)} sentences, {len(known)} words")
    fit(network, learned, examples, chance)
    for name in sources:
        print(f"{name}: area {area(network, [examples.plain(words) for own, words in held if own == name]):.3f}")
    save(network, known, usual(learned), usual_ones, options.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
