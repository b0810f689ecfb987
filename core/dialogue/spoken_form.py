"""spoken_form: written text as a voice should read it. Signs, numbers, addresses and keys become words."""

from __future__ import annotations

import re

_SMALL = (
    "zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|"
    "eighteen|nineteen"
)
_ONES = re.split(r"\|", _SMALL)
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (10**3, "thousand"), (100, "hundred"))
_CURRENCIES = {"$": "dollar", "£": "pound", "€": "euro", "¥": "yen"}
_SIGNS = {
    "&": " and ",
    "%": " percent",
    "°C": " degrees Celsius",
    "°F": " degrees Fahrenheit",
    "°": " degrees",
    "×": " times ",
    "÷": " divided by ",
    "=": " equals ",
    "→": ", ",
    "…": ".",
    "—": ", ",
    "–": ", ",
    "’": "'",
    "‘": "'",
    "“": "",
    "”": "",
    '"': "",
    "²": " squared",
    "³": " cubed",
}
_ABBREVIATIONS = {
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "and so on",
    "vs.": "versus",
    "approx.": "approximately",
    "LiveTalk": "Live Talk",
    "SmolLM2": "Small L M 2",
    "Qwen3-Omni": "Kwen 3 Omni",
    "Qwen": "Kwen",
}
_UNSPEAKABLE = re.compile(r"[^A-Za-z0-9\s.,;:!?'()/@+*-]")


def spoken_form(text: str) -> str:
    """`text` in letters and plain punctuation only; never empty (a lone full stop is silence)."""
    text = _ABBREVIATION.sub(lambda match: _ABBREVIATIONS[match[0]], text)
    text = re.sub(r"\b(?:https?://|www\.)\S+?(?=[.,;:!?)]*(?:\s|$))", _address, text)
    text = re.sub(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+", _address, text)
    text = _KEYS.sub(_key, text)
    text = re.sub(r"([$£€¥])\s?(\d[\d,]*)(?:\.(\d\d))?\b", _money, text)
    text = re.sub(r"\b(\d{1,2}):(\d{2})\b", _clock_time, text)
    text = re.sub(r"(?<!\w)[-−](?=\d)", "minus ", text)
    text = re.sub(r"(?<=\d)\s*[-−–]\s*(?=\d)", " to ", text)
    text = re.sub(r"(?<=\d)\s+/\s*(?=\d)|(?<=\d)/\s+(?=\d)", " divided by ", text)
    text = re.sub(r"(?<=[\d\s])\+(?=[\s\d])", " plus ", text)
    text = re.sub(r"(?<=\d)\s*\*\s*(?=\d)", " times ", text)
    for sign, word in _SIGNS.items():
        text = text.replace(sign, word)
    text = re.sub(r"\b\d{1,3}(?:,\d{3})+\b", lambda match: match[0].replace(",", ""), text)
    text = re.sub(r"\b(\d+)(st|nd|rd|th)\b", lambda match: ordinal(int(match[1])), text)
    text = re.sub(r"\b(1[1-9]|20)(\d\d)\b(?![.]\d)", _year, text)
    text = re.sub(r"\d+(?:\.\d+)?", _number, text)
    text = _UNSPEAKABLE.sub(" ", text)
    text = re.sub(r"[*_#`~()]+", " ", text)
    return re.sub(r"\s+", " ", re.sub(r"\s+([.,;:!?])", r"\1", text)).strip() or "."


def cardinal(number: int) -> str:
    """`number` in words, e.g. 342 -> "three hundred and forty-two"."""
    if number < 0:
        return "minus " + cardinal(-number)
    if number < 20:
        return _ONES[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    for size, name in _SCALES:
        if number >= size:
            count, rest = divmod(number, size)
            joint = " and " if rest and rest < 100 else " "
            return f"{cardinal(count)} {name}" + (joint + cardinal(rest) if rest else "")
    raise AssertionError(f"no scale for {number}")


def ordinal(number: int) -> str:
    """`number` as a rank in words, e.g. 21 -> "twenty-first"."""
    special = {"one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth"}
    special["twelve"] = "twelfth"
    words = re.split(r"([ -])", cardinal(number))
    last = words[-1]
    words[-1] = special.get(last) or (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return "".join(words)


def _number(match: re.Match[str]) -> str:
    whole, _, decimals = match[0].partition(".")
    if len(whole) > 15 or (len(whole) > 1 and whole.startswith("0")):
        said = " ".join(_ONES[int(digit)] for digit in whole)
    else:
        said = cardinal(int(whole))
    return said + (" point " + " ".join(_ONES[int(digit)] for digit in decimals) if decimals else "")


def _year(match: re.Match[str]) -> str:
    """The years people say in two halves; 2000 to 2009 are said as numbers."""
    century, rest = int(match[1]), int(match[2])
    if rest == 0:
        return cardinal(century * 100) if century % 10 == 0 else f"{cardinal(century)} hundred"
    if century == 20 and rest < 10:
        return f"two thousand and {_ONES[rest]}"
    return f"{cardinal(century)} {'oh ' + _ONES[rest] if rest < 10 else cardinal(rest)}"


def _clock_time(match: re.Match[str]) -> str:
    hour, minute = int(match[1]), int(match[2])
    if minute == 0:
        return cardinal(hour) if hour <= 12 else f"{cardinal(hour)} hundred"
    return f"{cardinal(hour)} {'oh ' + _ONES[minute] if minute < 10 else cardinal(minute)}"


def _money(match: re.Match[str]) -> str:
    amount = int(match[2].replace(",", ""))
    unit = _CURRENCIES[match[1]] + ("" if amount == 1 or match[1] == "¥" else "s")
    said = f"{cardinal(amount)} {unit}"
    return said + (f" {cardinal(int(match[3]))}" if match[3] and int(match[3]) else "")


def _address(match: re.Match[str]) -> str:
    """A web or mail address, without the part nobody says."""
    name = re.sub(r"^https?://", "", match[0]).rstrip("/")
    for sign, word in ((".", " dot "), ("/", " slash "), ("@", " at "), ("-", " dash "), ("_", " underscore ")):
        name = name.replace(sign, word)
    return re.sub(r"[^\w\s]", " ", name)


def _key(match: re.Match[str]) -> str:
    parts = match[0].replace("Ctrl", "Control").replace("Esc", "Escape").replace(",", "comma").split("+")
    return " ".join(parts)


_ABBREVIATION = re.compile("|".join(rf"(?<!\w){re.escape(word)}" for word in _ABBREVIATIONS))
_KEYS = re.compile(r"\bCtrl(?:\+Shift)?\+(?:,|[A-Z]\w*)|\bEsc\b")
