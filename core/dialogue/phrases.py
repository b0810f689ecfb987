"""Phrases: the few sentences that LiveTalk says beside an endpoint, in the language in which the two talk.

The languages are those in which Qwen3-Omni speaks.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

ENGLISH = "en"


@dataclass(frozen=True)
class Phrases:
    """`sorry` is said in place of an answer that a filter stopped, `not_caught` where nothing was understood, `moment`
    while a busy endpoint is waited for; `go_on` is what the person asks when they want the rest of an answer."""

    sorry: str
    not_caught: str
    moment: str
    go_on: str


PHRASES = {
    "en": Phrases(
        "I'm sorry, I can't answer that.", "Sorry, I didn't catch that.", "One moment, please.", "Please go on."
    ),
    "zh": Phrases("抱歉，这个问题我无法回答。", "抱歉，我没听清。", "请稍等一下。", "请继续说。"),
    "ja": Phrases(
        "すみません、それにはお答えできません。",
        "すみません、聞き取れませんでした。",
        "少々お待ちください。",
        "続けてください。",
    ),
    "ko": Phrases(
        "죄송해요, 그건 대답할 수 없어요.", "죄송해요, 잘 못 들었어요.", "잠시만 기다려 주세요.", "계속해 주세요."
    ),
    "ru": Phrases(
        "Извините, на это я ответить не могу.",
        "Извините, я не расслышал вас.",
        "Одну минуту, пожалуйста.",
        "Продолжай, пожалуйста.",
    ),
    "de": Phrases(
        "Das kann ich leider nicht beantworten.",
        "Das habe ich leider nicht verstanden.",
        "Einen Moment, bitte.",
        "Sprich weiter.",
    ),
    "fr": Phrases(
        "Désolé, je ne peux pas répondre à cela.",
        "Pardon, je n'ai pas compris.",
        "Un instant, s'il vous plaît.",
        "Continue, s'il te plaît.",
    ),
    "es": Phrases(
        "Lo siento, no puedo responder a eso.",
        "Perdona, no te he entendido.",
        "Un momento, por favor.",
        "Sigue, por favor.",
    ),
    "it": Phrases(
        "Mi dispiace, non posso rispondere.",
        "Scusa, non ho capito.",
        "Un momento, per favore.",
        "Continua, per favore.",
    ),
    "pt": Phrases(
        "Desculpe, não posso responder a isso.",
        "Desculpe, não entendi.",
        "Um momento, por favor.",
        "Continue, por favor.",
    ),
}
_COMMON = {
    "en": "the a an and is are you that what it to of in i my this have do not with for your was can how there who "
    "when at on but so he she they we me all just at from please",
    "de": "der die das und ist ich du nicht ein eine es zu mit wie was auf den dem im mein sie wir kann auch bin "
    "habe bitte von für dass aber noch",
    "fr": "la le les et est je tu vous que qui de des un une dans pas pour ce il elle nous mon suis avec au du sur "
    "bonjour bien",
    "es": "el la los las y es yo tú que de un una en no por con para lo mi me te está estás como cómo qué se del soy "
    "muy hoy hola pero",
    "it": "il la gli e è io tu che di un una in non per con lo mi ti sono come cosa si del della anche ho sei questo "
    "ciao oggi ma",
    "pt": "o a os as e é eu você que de um uma em não por com para me te está como do da se sou muito isso tem meu "
    "olá mas",
}
_WORDS = {language: frozenset(words.split()) for language, words in _COMMON.items()}
_MARKS = {"ñ": "es", "¿": "es", "¡": "es", "ß": "de", "ã": "pt", "õ": "pt"}
"""Signs that only one of these languages has."""
_WORD = re.compile(r"[^\W\d_]+")
_FEWEST_WORDS = 3
"""Fewer words tell no language by themselves."""


def phrases_for(texts: Iterable[str]) -> Phrases:
    """The sentences in the language of `texts`, which come newest first; in English where they tell none."""
    return PHRASES.get(language_among(texts), PHRASES[ENGLISH])


def language_among(texts: Iterable[str]) -> str:
    """The language of the first of `texts` that tells one, empty where none does."""
    return next((found for text in texts if (found := language_of(text))), "")


def language_of(text: str) -> str:
    """The language of `text` as a code of two letters, or the name of its script where that stands for several; empty
    where it is too short to tell."""
    scripts = _scripts(text)
    if not scripts:
        return ""
    if scripts.get("HIRAGANA", 0) + scripts.get("KATAKANA", 0):
        return "ja"
    script = max(scripts, key=lambda name: scripts[name])
    known = {"CJK": "zh", "HANGUL": "ko", "CYRILLIC": "ru"}
    return known.get(script) or (_latin(text) if script == "LATIN" else script.lower())


def _latin(text: str) -> str:
    words = _WORD.findall(text.lower())
    if len(words) < _FEWEST_WORDS:
        return ""
    hits = {language: sum(word in common for word in words) for language, common in _WORDS.items()}
    for sign in _MARKS.keys() & set(text.lower()):
        hits[_MARKS[sign]] += 2
    best, second = sorted(hits.values(), reverse=True)[:2]
    return max(hits, key=lambda language: hits[language]) if best > second else ""


def _scripts(text: str) -> dict[str, int]:
    """How many letters of each script there are."""
    found: dict[str, int] = {}
    for letter in text:
        if letter.isalpha():
            script = unicodedata.name(letter, "?").split(" ", 1)[0]
            found[script] = found.get(script, 0) + 1
    return found
