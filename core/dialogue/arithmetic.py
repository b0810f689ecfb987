"""arithmetic: sums people say or type, worked out exactly instead of guessed by a language model."""

from __future__ import annotations

import re
from fractions import Fraction
from math import isqrt

from core.dialogue.spoken_form import cardinal

_VALUES = {cardinal(number): number for number in (*range(20), *range(20, 100, 10))} | {"dozen": 12}
_SCALES = {"hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
_QUESTION = re.compile(
    r"^(?:(?:and|so|ok|okay|please|hey|then|now)\s+)*"
    r"(?:what is|what are|what does|how much is|how much are|calculate|compute|"
    r"work out|tell me|can you (?:calculate|compute|tell me|work out)(?: what)?|how many is)?\s*"
)
_WORDS = (
    (r"\bmultiplied by\b|\btimes\b|(?<=[\d)])\s*x\s*(?=[\d(])|×", "*"),
    (r"\bdivided by\b|\bover\b|÷", "/"),
    (r"\bplus\b|\badded to\b", "+"),
    (r"\bminus\b|\bless\b|−", "-"),
    (r"\bto the power of\b|\^", "**"),
    (r"\bsquared\b|²", "** 2"),
    (r"\bcubed\b|³", "** 3"),
    (r"\bhalf of\b", "1/2 *"),
    (r"\b(?:a |one )?third of\b", "1/3 *"),
    (r"\b(?:a |one )?quarter of\b", "1/4 *"),
    (r"\btwice\b", "2 *"),
    (r"\b(?:the )?square root of\b", "sqrt"),
    (r"(?:%|\bpercent\b|\bper cent\b) of\b", "/ 100 *"),
    (r"%|\bpercent\b|\bper cent\b", "/ 100"),
)
_TOKEN = re.compile(r"\s*(\d+(?:\.\d+)?|\*\*|[-+*/()]|sqrt)")
_LARGEST = 10**15


def solve(question: str) -> str | None:
    """The answer as a sentence, None when `question` is not a sum. `question` is in the plain form of `known`."""
    text = _QUESTION.sub("", question.strip().rstrip("?.!= "))
    text = re.sub(r"\b(equal|equals|make|makes|please|now)\b", " ", text)
    text = _digits(text)
    for pattern, sign in _WORDS:
        text = re.sub(pattern, f" {sign} ", text)
    tokens = _tokens(text)
    if tokens is None or not _is_sum(tokens):
        return None
    try:
        value = _Sum(tokens).value()
    except ZeroDivisionError:
        return "Nothing can be divided by zero."
    except (ValueError, IndexError, OverflowError):
        return None
    return f"That's {_said(value)}."


def _is_sum(tokens: list[str]) -> bool:
    """Whether there is anything to work out: a lone number, or one with a sign, is no question."""
    return tokens[0] == "sqrt" or any(not token[0].isdigit() for token in tokens[1:])


def _tokens(text: str) -> list[str] | None:
    tokens: list[str] = []
    at = 0
    text = text.strip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            return None
        tokens.append(match[1])
        at = match.end()
    return tokens if any(token[0].isdigit() for token in tokens) else None


def _digits(text: str) -> str:
    """Number words as digits: "twenty-one hundred" -> "2100"."""
    result: list[str] = []
    total, current, open_ = 0, 0, False
    for word in re.findall(r"[a-z]+|\d+(?:\.\d+)?|\*\*|[^\sa-z\d]", text.replace("-", " - ")):
        if word in _VALUES:
            current, open_ = current + _VALUES[word], True
        elif word in _SCALES and open_:
            if word == "hundred":
                current *= 100
            else:
                total, current = total + current * _SCALES[word], 0
        elif word == "-" and open_ and current % 10 == 0 and current % 100 >= 20:
            continue  # twenty-one
        elif word == "and" and open_ and (current >= 100 or total):
            continue  # two hundred and five
        else:
            if open_:
                result.append(str(total + current))
                total, current, open_ = 0, 0, False
            result.append(word)
    if open_:
        result.append(str(total + current))
    return " ".join(result)


class _Sum:
    """Recursive descent over `tokens`: sums of products of powers.

    Raises (from `value`): ValueError, IndexError or OverflowError when they are not a sum that can be answered.
    """

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def value(self) -> Fraction:
        result = self._sum()
        if self._at != len(self._tokens):
            raise ValueError(f"{self._tokens[self._at]} is left over")
        if abs(result) > _LARGEST:
            raise OverflowError
        return result

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        self._at += 1
        return self._tokens[self._at - 1]

    def _sum(self) -> Fraction:
        result = self._product()
        while self._peek() in ("+", "-"):
            result = result + self._product() if self._next() == "+" else result - self._product()
        return result

    def _product(self) -> Fraction:
        result = self._power()
        while self._peek() in ("*", "/"):
            result = result * self._power() if self._next() == "*" else result / self._power()
        return result

    def _power(self) -> Fraction:
        base = self._atom()
        while self._peek() == "**":
            self._next()
            exponent = self._atom()
            if exponent.denominator != 1 or abs(exponent) > 64 or abs(base) > _LARGEST:
                raise OverflowError
            base = base ** int(exponent)
        return base

    def _atom(self) -> Fraction:
        token = self._next()
        if token == "-":
            return -self._atom()
        if token == "(":
            result = self._sum()
            if self._next() != ")":
                raise ValueError("a bracket is open")
            return result
        if token == "sqrt":
            return _root(self._power())
        return Fraction(token)


def _root(value: Fraction) -> Fraction:
    if value < 0 or value > _LARGEST:
        raise ValueError("no square root")
    top, bottom = isqrt(value.numerator), isqrt(value.denominator)
    if top * top == value.numerator and bottom * bottom == value.denominator:
        return Fraction(top, bottom)
    return Fraction(float(value) ** 0.5)


def _said(value: Fraction) -> str:
    if value.denominator == 1:
        return f"{value.numerator:,}"
    shown = f"{float(value):,.4f}".rstrip("0").rstrip(".")
    exact = Fraction(shown.replace(",", "")) == value
    return shown if exact else f"about {shown}"
