"""What the built-in companion answers exactly, and what it leaves to the model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from core.dialogue.arithmetic import solve
from core.dialogue.known import Known, plain
from core.dialogue.protocol import Message
from core.dialogue.reactions import reaction
from core.dialogue.recollection import told_name
from tests.core.companion import NOON

if TYPE_CHECKING:
    from datetime import datetime

KNOWN = Known("Amara")


def answer(said: str, *history: str, now: datetime = NOON) -> str | None:
    """The answer after a conversation in which the person began."""
    roles = ("user", "assistant")
    return KNOWN.answer(said, [Message(roles[at % 2], text) for at, text in enumerate(history)], now)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("What time is it?", "It's 12:34."),
        ("what's the time", "It's 12:34."),
        ("Can you tell me the time, please?", "It's 12:34."),
        ("What time is it in Tokyo?", "I only know the time on this computer. It's 12:34."),
        ("What day is it?", "Today is Saturday, 21 November 2026."),
        ("What's the date tomorrow?", "Tomorrow will be Sunday, 22 November 2026."),
        ("What day was it yesterday?", "Yesterday was Friday, 20 November 2026."),
        ("What year is it?", "It's November 2026."),
    ],
)
def test_time_and_date_come_from_the_clock(said: str, expected: str) -> None:
    assert answer(said) == expected


@pytest.mark.parametrize(("hour", "expected"), [(0, "midnight"), (9, "9 o'clock"), (12, "noon"), (17, "5 o'clock")])
def test_full_hours_are_said_as_people_say_them(hour: int, expected: str) -> None:
    assert answer("What time is it?", now=NOON.replace(hour=hour, minute=0)) == f"It's {expected}."


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("My name is Peter.", "Peter"),
        ("my name's anna", "Anna"),
        ("Hello, I'm Jonas.", "Jonas"),
        ("You can call me Mary Ann", "Mary Ann"),
        ("I am called O'Neill", "O'Neill"),
    ],
)
def test_a_name_is_remembered_from_the_conversation(said: str, name: str) -> None:
    history = [Message("user", said), Message("assistant", f"Nice to meet you, {name}.")]
    assert told_name(history) == name
    assert KNOWN.answer("What's my name?", history, NOON) == f"Your name is {name}."


@pytest.mark.parametrize(
    "said", ["I'm tired.", "I am German.", "Call me later.", "I'm so happy.", "Is my name strange?"]
)
def test_not_every_word_after_i_am_is_a_name(said: str) -> None:
    assert told_name([Message("user", said)]) is None


def test_a_name_never_told_is_not_made_up() -> None:
    assert answer("Do you know my name?") == "You haven't told me your name yet. What is it?"


def test_things_told_are_told_back() -> None:
    assert answer("My cat's name is Misty.") == "Misty. I'll remember that."
    assert answer("What's my cat called?", "My cat's name is Misty.") == "You told me: your cat's name is Misty."
    assert answer("What is my favorite colour?", "My favourite color is green.") == (
        "You told me: your favourite color is green."
    )
    assert answer("When is my birthday?") == "You haven't told me about your birthday yet."


def test_what_was_said_before_is_repeated() -> None:
    history = ("I like trains.", "How nice! Which one?")
    assert answer("What did I just say?", *history) == "You said: I like trains."
    assert answer("What did you say?", *history) == "I said: How nice! Which one?"
    assert answer("Pardon?", *history) == "I said: How nice! Which one?"
    assert answer("Repeat that, please.", *history, "What?", "I said: How nice!") == "I said: How nice!"
    assert answer("What did I say?") == "You haven't said anything before this."


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("How do I connect a Qwen endpoint?", "Ctrl+,"),
        ("I want to use a better model", "Settings"),
        ("What is this app?", "LiveTalk"),
        ("Who are you?", "Amara"),
        ("Who made you?", "SmolLM2"),
        ("Which model do you use?", "offline"),
        ("Are you human?", "program"),
        ("Do you have feelings?", "program"),
        ("Does anything I say leave my computer?", "nothing leaves this computer"),
        ("Are you recording me?", "nothing leaves this computer"),
        ("Are you connected to the internet?", "offline"),
        ("Do you speak German?", "only know English"),
        ("How do I record a video?", "Ctrl+R"),
        ("How can I choose another avatar?", "Ctrl+O"),
        ("Can I use my own picture?", "Ctrl+Shift+O"),
        ("How do I stop you?", "Esc"),
        ("What keys are there?", "F1"),
        ("Hello!", "Hello"),
        ("Good morning, Amara", "Hello"),
        ("Thank you very much!", "welcome"),
        ("Bye!", "Goodbye"),
        ("What's the weather like?", "offline"),
        ("Who is the president?", "offline"),
        ("I want to kill myself", "emergency number"),
        ("How many aspirin can I take?", "doctor"),
        ("你好,你叫什么名字?", "only understand English"),
    ],
)
def test_it_knows_itself_and_the_app(said: str, part: str) -> None:
    assert part in (answer(said) or "")


@pytest.mark.parametrize(
    "said",
    [
        "I like pasta.",
        "Why is the sky blue?",
        "I want to change my job.",
        "How do I make coffee?",
        "I want a better job",
        "Can I use a different oil for frying?",
        "Tell me about the face of the moon.",
        "I met a real person today.",
        "What is a computer?",
        "My record player is old.",
        "I have two cats.",
        "It is half past nine already.",
    ],
)
def test_the_rest_is_left_to_the_model(said: str) -> None:
    assert answer(said) is None


def test_the_same_joke_is_not_told_twice_in_a_row() -> None:
    first = answer("Tell me a joke")
    assert first is not None
    assert answer("Tell me another joke", "Tell me a joke", first) not in (None, first)


@pytest.mark.parametrize(
    ("question", "result"),
    [
        ("What is 12 times 7?", "84"),
        ("what's seven times eight", "56"),
        ("20 percent of 50", "10"),
        ("What is 15% of 80?", "12"),
        ("two hundred and five minus twenty-one", "184"),
        ("(3+4)*2", "14"),
        ("2 to the power of 10", "1,024"),
        ("10 divided by 4", "2.5"),
        ("10 / 3", "about 3.3333"),
        ("square root of 81", "9"),
        ("square root of 2", "about 1.4142"),
        ("half of 30", "15"),
        ("what is 1,000 plus 1", "1,001"),
    ],
)
def test_sums_are_worked_out(question: str, result: str) -> None:
    assert solve(plain(question)) == f"That's {result}."


def test_nothing_is_divided_by_zero() -> None:
    assert solve("5 / 0") == "Nothing can be divided by zero."


@pytest.mark.parametrize("said", ["i am 21", "what is love", "2026", "nine-to-five", "what is 2 ** 999", "3 +", "(1"])
def test_what_is_no_sum_is_not_answered_as_one(said: str) -> None:
    assert solve(said) is None


@pytest.mark.parametrize(
    ("told", "tone"),
    [
        ("my grandfather died", "sorry"),
        ("my computer is broken", "sorry"),
        ("i do not like mushrooms", "understand"),
        ("i got a new job", "lovely"),
        ("i have a brother", "know"),
    ],
)
def test_the_first_word_fits_the_tone(told: str, tone: str) -> None:
    assert tone in reaction(told, [])


def test_the_same_kind_word_is_not_said_twice() -> None:
    assert reaction("i have a brother", ["Nice to know. What is he like?"]) != "Nice to know."


def test_the_first_thing_said_is_found_again() -> None:
    history = ("I like trains.", "How nice!", "And ships.", "I see.")
    assert answer("What did I say first?", *history) == "First you said: I like trains."
