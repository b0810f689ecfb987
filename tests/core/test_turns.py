"""TurnTaker: who has the floor, by counting samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.listening.turns import Floor, TurnRules, TurnTaker

WINDOW = 512
MS = 16
SPEECH, SILENCE = 0.9, 0.05


def hear(taker: TurnTaker, probability: float, ms: int) -> list[Floor]:
    """`ms` of sound that is speech with this probability; what changed, in order."""
    changes = [taker.hear(probability, WINDOW) for _ in range(round(ms * MS / WINDOW))]
    return [change for change in changes if change is not Floor.NOTHING]


def test_speech_then_half_a_second_of_silence_is_a_turn() -> None:
    taker = TurnTaker(TurnRules())
    assert hear(taker, SILENCE, 1024) == []
    assert hear(taker, SPEECH, 2048) == [Floor.SPEAKING]
    assert hear(taker, SILENCE, 640) == [Floor.PAUSED, Floor.QUIET]
    assert taker.start == (1024 - 400) * MS
    assert taker.speech_end == 3072 * MS
    assert 500 * MS <= taker.end - taker.speech_end <= 500 * MS + WINDOW


def test_a_click_is_no_turn() -> None:
    taker = TurnTaker(TurnRules())
    for _ in range(5):
        assert hear(taker, SPEECH, 64) == []
        assert hear(taker, SILENCE, 320) == []


def test_a_hesitation_is_taken_back_when_the_person_goes_on() -> None:
    taker = TurnTaker(TurnRules())
    hear(taker, SPEECH, 512)
    assert hear(taker, SILENCE, 320) == [Floor.PAUSED]
    assert hear(taker, SPEECH, 320) == [Floor.RESUMED]
    assert hear(taker, SILENCE, 640) == [Floor.PAUSED, Floor.QUIET]


def test_a_wavering_voice_keeps_the_floor_it_has_but_does_not_take_it() -> None:
    between = 0.42
    taker = TurnTaker(TurnRules())
    assert hear(taker, between, 2048) == []
    hear(taker, SPEECH, 320)
    assert hear(taker, between, 2048) == []
    assert taker.speaking


def test_speech_into_a_reply_is_noticed_first_and_takes_the_floor_when_it_goes_on() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    assert hear(taker, SPEECH, 96) == []
    assert hear(taker, SPEECH, 64) == [Floor.INTRUDING]
    assert hear(taker, SPEECH, 224) == [Floor.SPEAKING]
    assert taker.position <= 400 * MS


def test_a_short_sound_into_a_reply_takes_no_floor() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    for _ in range(3):
        assert hear(taker, SPEECH, 320) == [Floor.INTRUDING]
        assert hear(taker, SILENCE, 192) == []
        assert hear(taker, SILENCE, 320) == [Floor.WITHDREW]
    assert not taker.speaking


def test_a_syllable_of_silence_does_not_make_one_interruption_two_noises() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    assert hear(taker, SPEECH, 320) == [Floor.INTRUDING]
    assert hear(taker, SILENCE, 96) == []
    assert hear(taker, SPEECH, 160) == [Floor.SPEAKING]
    assert taker.start == 0


def test_a_word_and_what_follows_it_after_a_comma_are_one_interruption() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    assert hear(taker, SPEECH, 288) == [Floor.INTRUDING]
    assert hear(taker, SILENCE, 384) == [Floor.WITHDREW]
    assert hear(taker, SPEECH, 96) == [Floor.INTRUDING, Floor.SPEAKING]
    assert taker.start == 0


def test_a_sign_of_listening_may_last_longer_than_an_interruption() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    hear(taker, SPEECH, 320)
    taker.spare()
    assert hear(taker, SPEECH, 480) == []
    assert hear(taker, SILENCE, 512) == [Floor.WITHDREW]
    assert hear(taker, SPEECH, 384) == [Floor.INTRUDING, Floor.SPEAKING], "the next one is not spared"


def test_what_may_be_a_sign_of_listening_is_waited_for_a_little() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    hear(taker, SPEECH, 320)
    taker.spare(None)
    assert hear(taker, SPEECH, 96) == []
    assert hear(taker, SPEECH, 32) == [Floor.SPEAKING]


def test_words_that_stop_being_a_sign_of_listening_are_an_interruption() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    hear(taker, SPEECH, 320)
    taker.spare()
    assert hear(taker, SPEECH, 320) == []
    taker.spare(False)
    assert hear(taker, SPEECH, 32) == [Floor.SPEAKING]


def test_words_that_claim_the_floor_have_it_at_once() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    assert taker.claim() is Floor.NOTHING
    assert hear(taker, SPEECH, 160) == [Floor.INTRUDING]
    assert taker.claim() is Floor.SPEAKING
    assert taker.speaking
    assert taker.start == 0


def test_one_word_that_was_meant_for_the_avatar_is_a_turn() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    hear(taker, SILENCE, 960)
    hear(taker, SPEECH, 320)
    assert hear(taker, SILENCE, 256) == [Floor.WITHDREW]
    assert taker.accept() is Floor.QUIET
    assert taker.start == (960 - 400) * MS
    assert taker.speech_end == 1280 * MS
    assert taker.accept() is Floor.NOTHING


def test_a_word_that_is_understood_late_begins_the_turn_that_runs() -> None:
    taker = TurnTaker(TurnRules())
    taker.avatar_speaks = True
    hear(taker, SPEECH, 320)
    hear(taker, SILENCE, 256)
    taker.avatar_speaks = False
    assert hear(taker, SPEECH, 160) == [Floor.SPEAKING]
    assert taker.accept() is Floor.NOTHING
    assert taker.speaking
    assert taker.start == 0


def test_a_turn_that_sounds_finished_ends_at_once() -> None:
    taker = TurnTaker(TurnRules(), judged=True)
    hear(taker, SPEECH, 512)
    assert hear(taker, SILENCE, 128) == [Floor.PAUSED]
    assert taker.judge(taker.position, 0.9) is Floor.NOTHING
    assert hear(taker, SILENCE, 96) == [Floor.QUIET]
    assert taker.end - taker.speech_end == 224 * MS


def test_a_verdict_that_comes_late_ends_the_turn_when_it_comes() -> None:
    taker = TurnTaker(TurnRules(), judged=True)
    hear(taker, SPEECH, 512)
    hear(taker, SILENCE, 128)
    asked_at = taker.position
    assert hear(taker, SILENCE, 640) == []
    assert taker.judge(asked_at, 0.9) is Floor.QUIET


def test_a_turn_that_sounds_unfinished_is_waited_for_but_not_for_ever() -> None:
    taker = TurnTaker(TurnRules(), judged=True)
    hear(taker, SPEECH, 512)
    hear(taker, SILENCE, 128)
    taker.judge(taker.position, 0.02)
    assert hear(taker, SILENCE, TurnRules().patience_ms - 128 - 2 * 32) == []
    assert hear(taker, SILENCE, 128) == [Floor.QUIET]


def test_nobody_can_tell_means_half_a_second() -> None:
    taker = TurnTaker(TurnRules(), judged=True)
    hear(taker, SPEECH, 512)
    hear(taker, SILENCE, 128)
    taker.judge(taker.position, None)
    assert hear(taker, SILENCE, 384) == [Floor.QUIET]


def test_a_verdict_on_an_earlier_pause_says_nothing() -> None:
    taker = TurnTaker(TurnRules(), judged=True)
    hear(taker, SPEECH, 512)
    hear(taker, SILENCE, 128)
    asked_at = taker.position
    hear(taker, SPEECH, 512)
    assert taker.judge(asked_at, 0.99) is Floor.NOTHING
    hear(taker, SILENCE, 128)
    assert taker.judge(asked_at, 0.99) is Floor.NOTHING
    assert hear(taker, SILENCE, 640) == []


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_surer_the_end_the_shorter_the_silence(one: float, other: float) -> None:
    rules = TurnRules()
    assert rules.quick_ms <= rules.wait_ms(one) <= rules.patience_ms
    assert (one <= other) <= (rules.wait_ms(one) >= rules.wait_ms(other))


def test_patience_is_what_the_person_chooses() -> None:
    assert TurnRules.for_sensitivity(0.5, 300).patience_ms == 800
    assert TurnRules.for_sensitivity(0.5, 500).patience_ms == 1100
    assert TurnRules.for_sensitivity(0.5, 2000).patience_ms == 3000


def test_nobody_keeps_the_floor_for_longer_than_a_minute() -> None:
    taker = TurnTaker(TurnRules())
    assert hear(taker, SPEECH, 190_000) == [Floor.SPEAKING, Floor.QUIET]
    assert taker.end - taker.start <= 60_000 * MS + WINDOW


def test_after_a_turn_without_end_the_floor_is_free_when_it_was_silent() -> None:
    taker = TurnTaker(TurnRules())
    hear(taker, SPEECH, 62_000)
    ended = taker.end
    assert hear(taker, SILENCE, 320) == []
    assert hear(taker, SPEECH, 640) == [], "it only drew breath"
    assert hear(taker, SILENCE, 640) == []
    assert hear(taker, SPEECH, 320) == [Floor.SPEAKING]
    assert taker.start >= ended


def test_the_key_gives_the_floor_also_after_a_turn_without_end() -> None:
    taker = TurnTaker(TurnRules())
    hear(taker, SPEECH, 62_000)
    assert taker.press() is Floor.SPEAKING
    assert hear(taker, SPEECH, 640) == []
    assert taker.release() is Floor.QUIET


def test_a_tap_on_the_key_in_which_nobody_spoke_is_no_turn() -> None:
    taker = TurnTaker(TurnRules(), hold_to_talk=True)
    hear(taker, SILENCE, 1024)
    assert taker.press() is Floor.SPEAKING
    hear(taker, SILENCE, 64)
    assert taker.release() is Floor.NOTHING
    assert not taker.speaking


def test_a_short_word_said_while_the_key_is_held_is_a_turn() -> None:
    taker = TurnTaker(TurnRules(), hold_to_talk=True)
    hear(taker, SILENCE, 1024)
    taker.press()
    hear(taker, SPEECH, 160)
    assert taker.release() is Floor.QUIET


def test_the_next_turn_never_begins_before_the_last_one_ended() -> None:
    taker = TurnTaker(TurnRules())
    hear(taker, SPEECH, 512)
    hear(taker, SILENCE, 520)
    ended = taker.end
    assert hear(taker, SPEECH, 128) == [Floor.SPEAKING]
    assert taker.start >= ended


def test_while_the_key_is_held_silence_ends_nothing() -> None:
    taker = TurnTaker(TurnRules(), hold_to_talk=True)
    assert hear(taker, SPEECH, 1024) == []
    assert taker.press() is Floor.SPEAKING
    assert hear(taker, SILENCE, 3008) == []
    assert taker.release() is Floor.QUIET
    assert taker.end - taker.start >= 3000 * MS
    assert taker.release() is Floor.NOTHING


def test_the_key_also_works_with_an_open_microphone() -> None:
    taker = TurnTaker(TurnRules())
    hear(taker, SPEECH, 512)
    assert taker.press() is Floor.NOTHING
    assert hear(taker, SILENCE, 2048) == []
    assert taker.release() is Floor.QUIET


def test_sensitivity_moves_the_threshold() -> None:
    assert TurnRules.for_sensitivity(0.5) == TurnRules()
    assert TurnRules.for_sensitivity(1.0).on < TurnRules().on < TurnRules.for_sensitivity(0.0).on


probabilities = st.lists(st.floats(0, 1), max_size=400)


verdicts = st.none() | st.floats(0, 1)


@given(probabilities, st.booleans(), verdicts)
def test_changes_always_come_in_an_order_that_makes_sense(
    heard: list[float], avatar_speaks: bool, verdict: float | None
) -> None:
    taker = TurnTaker(TurnRules(longest_ms=4000), judged=True)
    taker.avatar_speaks = avatar_speaks
    state = Floor.QUIET
    first = {Floor.INTRUDING, Floor.SPEAKING} if avatar_speaks else {Floor.SPEAKING}
    allowed = {
        Floor.QUIET: first,
        Floor.WITHDREW: first,
        Floor.INTRUDING: {Floor.WITHDREW, Floor.SPEAKING},
        Floor.SPEAKING: {Floor.PAUSED, Floor.QUIET},
        Floor.PAUSED: {Floor.RESUMED, Floor.QUIET},
        Floor.RESUMED: {Floor.PAUSED, Floor.QUIET},
    }
    for probability in heard:
        change = taker.hear(probability, WINDOW)
        if change is not Floor.NOTHING:
            assert change in allowed[state]
            state = change
        if change is Floor.PAUSED:
            assert taker.judge(taker.position, verdict) is Floor.NOTHING, (
                "a pause is shorter than any silence that ends"
            )
        assert taker.speaking == (state in {Floor.SPEAKING, Floor.PAUSED, Floor.RESUMED})
    assert taker.position == len(heard) * WINDOW


@given(probabilities)
def test_turns_lie_in_order_within_what_was_heard(heard: list[float]) -> None:
    taker = TurnTaker(TurnRules(longest_ms=4000))
    ended = 0
    for probability in heard:
        if taker.hear(probability, WINDOW) is Floor.QUIET:
            assert ended <= taker.start < taker.speech_end <= taker.end == taker.position
            assert taker.end - taker.start <= 4000 * MS + WINDOW
            ended = taker.end


@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.integers(1, 4))
def test_the_length_of_the_pieces_does_not_matter(heard: list[float], parts: int) -> None:
    whole, pieces = TurnTaker(TurnRules()), TurnTaker(TurnRules())
    for probability in heard:
        change = whole.hear(probability, WINDOW * parts)
        changes = [pieces.hear(probability, WINDOW) for _ in range(parts)]
        if change in (Floor.SPEAKING, Floor.QUIET):
            assert change in changes
        assert whole.speaking == pieces.speaking
