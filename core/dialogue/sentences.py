"""Sentences: streamed words cut into pieces a voice can say, and kept to the manner of a small companion."""

from __future__ import annotations

import re

_ABBREVIATIONS = {"dr", "mr", "mrs", "ms", "prof", "st", "vs", "etc", "e.g", "i.e", "approx", "no", "jr", "sr"}
_END = re.compile(r"[.!?…]+[\"')\]]*\s+|[。！？]+[”』」）]*")
_CLAUSE = re.compile(r"[,;:]\s+|[，；：、]")
_WORDS_BEFORE_CLAUSE = 5
_SIGNS_BEFORE_CLAUSE = 8
_MOST_WORDS = 42
_LABEL = re.compile(r"^(?:[A-Z][\w ]{0,18}|AI|A|Q|User|Assistant):\s+")
_LIST_MARK = re.compile(r"^\s*(?:\d{1,2}[.)]|[-*•])\s*")
_STAGE = re.compile(r"\*[^*]*\*|\([^)]*\)|\[[^\]]*\]")
_OWN_LIFE = re.compile(r"\b(?:my|mine|myself|our|ours|us|we|we're|we've|we'll)\b(?! friend)", re.IGNORECASE)
_MODEST = re.compile(
    r"\bI(?:"
    r"(?:'m| am) (?:so |very |really |truly |just |also |always )*"
    r"(?:sorry|glad|happy|here|not sure|sure|afraid|listening|curious|not able|only)"
    r"|(?: do not| don't) (?:know|think|understand|mind)"
    r"|(?: can| could)(?: only| help| imagine| see why| understand|not|'t)"
    r"|(?: would|'d) (?:suggest|recommend|love to hear|like to hear|say|try|start)"
    r"| (?:hope|think|believe|guess|suppose|wonder|see|understand|agree|recommend|suggest|bet|wish you)"
    r")\b",
)
_ROMAN = re.compile(r"[^\x20-\x7e‘’“”–—…°£€À-ÿ]")


class SentenceCutter:
    """Collects streamed text and gives it back a sentence at a time. The very first piece may be a clause, so that
    the voice can begin sooner."""

    def __init__(self) -> None:
        self._waiting = ""
        self._begun = False

    def feed(self, text: str) -> list[str]:
        """The pieces that are complete with `text`."""
        self._waiting += text
        pieces: list[str] = []
        while (end := self._cut()) is not None:
            pieces.append(self._waiting[:end].strip())
            self._waiting = self._waiting[end:]
            self._begun = True
        return [piece for piece in pieces if piece]

    def rest(self) -> str:
        """What is left when nothing more comes."""
        rest, self._waiting = self._waiting.strip(), ""
        return rest

    def _cut(self) -> int | None:
        for match in _END.finditer(self._waiting):
            if not _is_abbreviation(self._waiting[: match.start()]):
                return match.end()
        if not self._begun:
            for match in _CLAUSE.finditer(self._waiting):
                before = self._waiting[: match.start()]
                if len(before.split()) >= _WORDS_BEFORE_CLAUSE or _wide(before) >= _SIGNS_BEFORE_CLAUSE:
                    return match.end()
        return None


def sentences(text: str) -> list[str]:
    """The sentences of a whole text."""
    cutter = SentenceCutter()
    pieces = cutter.feed(text)
    rest = cutter.rest()
    joined: list[str] = []
    for piece in [*pieces, rest] if rest else pieces:
        if joined and not _complete(joined[-1]):
            joined[-1] += " " + piece
        else:
            joined.append(piece)
    return joined


class Propriety:
    """Lets through what a small, honest companion may say: `most` short sentences, no list, no mark-up, nothing twice,
    no other speaker's lines, and no life it does not have. `recent` is what it said before, not to be said again."""

    def __init__(self, recent: str = "", most: int = 2) -> None:
        self._most = most
        self._seen = {_key(sentence) for sentence in sentences(recent)}
        self._sentences = 0
        self._words = 0
        self._open = False

    @property
    def full(self) -> bool:
        """Nothing more will be let through."""
        return self._sentences >= self._most or self._words >= _MOST_WORDS

    def admit(self, piece: str) -> str:
        """`piece` as it may be said, empty when it may not."""
        if self.full:
            return ""
        text = _cleaned(piece)
        if not self._open:
            text = text[:1].upper() + text[1:]
        key = _key(text)
        if not key or key in self._seen or _pretends(text) or _stammers(text):
            return ""
        self._seen.add(key)
        self._words += len(text.split())
        self._open = not _complete(text)
        self._sentences += not self._open
        return text

    def admit_last(self, rest: str) -> str:
        """What was left when the words ended: a sentence that lacks only its full stop, or nothing."""
        text = self.admit(rest)
        if not text or _complete(text):
            return text
        return text.rstrip(" ,;:-–—") + "." if self._open and self._sentences == 0 else ""


def _cleaned(piece: str) -> str:
    text = _STAGE.sub(" ", piece)
    text = _LABEL.sub("", _LIST_MARK.sub("", text.strip()))
    text = _ROMAN.sub("", text.replace("**", "").replace("`", "").replace("#", "").replace('"', ""))
    return " ".join(text.split())


def _complete(text: str) -> bool:
    return text.rstrip("\"')]").endswith((".", "!", "?", "…"))


def _key(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def _stammers(text: str) -> bool:
    """The same four words twice: the model runs in a circle."""
    words = _key(text).split()
    runs = [tuple(words[at : at + 4]) for at in range(len(words) - 3)]
    return len(runs) != len(set(runs))


def _pretends(text: str) -> bool:
    """Whether it speaks of a life of its own: "I" is let through in modest company only."""
    return bool(_OWN_LIFE.search(text) or re.search(r"\b(?:I|I've|I'll)\b", _MODEST.sub(" ", text)))


def _wide(text: str) -> int:
    """How many signs of a script without spaces are in `text`."""
    return sum(letter > "\u2e7f" for letter in text)


def _is_abbreviation(before: str) -> bool:
    word = before.rsplit(None, 1)[-1].lower().lstrip("(\"'") if before.split() else ""
    return word in _ABBREVIATIONS or bool(
        re.fullmatch(r"[a-z]|\d{1,2}", word) and word != "i" and len(before.split()) == 1
    )
