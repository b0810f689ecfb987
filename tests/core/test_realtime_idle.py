"""A live connection that was idle for longer than its server bears is made anew, and told what was said."""

from __future__ import annotations

import pytest

from core.dialogue.profile import shipped_profiles
from core.dialogue.protocol import Message
from core.dialogue.realtime import RealtimeTransport
from tests.core.live_server import speaking
from tests.core.omni_server import tone
from tests.core.omni_talk import Heard, ask
from tests.core.test_realtime import live

HISTORY = [Message("user", "One", 1), Message("assistant", "Hi.", 1)]
LIVE = {
    "dashscope_realtime": "flat",
    "openai_realtime": "nested",
    "sglang_omni_realtime": "flat",
    "compatible_realtime": "nested",
}


class Clock:
    """The loop's time, which can be put forward."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead_s = 0.0
        real = RealtimeTransport._now
        monkeypatch.setattr(RealtimeTransport, "_now", lambda transport: real(transport) + self.ahead_s)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


@pytest.mark.parametrize("dialect", LIVE)
def test_a_connection_that_was_idle_for_too_long_is_made_anew(dialect: str, clock: Clock) -> None:
    with live(speaking(LIVE[dialect], "Hi.", tone(0.2)), dialect=dialect) as (server, dialogue):
        ask(dialogue, Heard("One"))
        clock.ahead_s = shipped_profiles()[dialect].idle_s + 1
        assert ask(dialogue, Heard("Two", number=2), HISTORY).text == "Hi."
        assert [len(talk.of("response.create")) for talk in server.talks] == [1, 1]
        assert server.wait_until(lambda: server.talks[0].gone_at is not None)
        told = str(server.talks[1].events)
    assert "One" in told
    assert "Two" in told


@pytest.mark.parametrize("dialect", LIVE)
def test_a_connection_that_is_used_in_time_stays(dialect: str, clock: Clock) -> None:
    idle_s = shipped_profiles()[dialect].idle_s
    with live(speaking(LIVE[dialect], "Hi.", tone(0.2)), dialect=dialect) as (server, dialogue):
        history: list[Message] = []
        for number in range(1, 5):
            reply = ask(dialogue, Heard(f"Turn {number}", number=number), history)
            history += [Message("user", f"Turn {number}", number), Message("assistant", reply.text, number)]
            clock.ahead_s += idle_s - 2
        assert len(server.talks) == 1


def test_dashscope_is_left_before_it_hangs_up() -> None:
    """It drops a connection that was idle for 300 s, whatever pings are sent."""
    assert shipped_profiles()["dashscope_realtime"].idle_s < 300
