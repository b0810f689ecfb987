"""Side: a device that is lost is replaced, looked for, and found again."""

from __future__ import annotations

from dataclasses import dataclass, field

from core.audio.recovery import RETRY_S, Side, loudspeaker_trouble, microphone_trouble
from core.errors import Problem
from core.events import Failed, Recovered


@dataclass
class Headset:
    name: str
    alive: bool = True
    closed: bool = False

    def close(self) -> None:
        self.closed = True


@dataclass
class Desk:
    """Which devices are plugged in; "" is the default one."""

    plugged: dict[str, str]
    opened: list[Headset] = field(default_factory=list[Headset])

    def open(self, name: str) -> Headset | None:
        if name not in self.plugged:
            return None
        self.opened.append(Headset(self.plugged[name]))
        return self.opened[-1]


def test_a_device_that_is_there_is_no_news() -> None:
    side = Side("Jabra", microphone_trouble, Desk({"Jabra": "Jabra"}).open)
    assert side.device is not None
    assert not side.lost()
    assert side.tend(0) == []


def test_an_unplugged_microphone_is_replaced_by_the_default_one_and_taken_back() -> None:
    desk = Desk({"Jabra": "Jabra", "": "Built-in"})
    side = Side("Jabra", microphone_trouble, desk.open)
    del desk.plugged["Jabra"]
    desk.opened[0].alive = False
    assert side.lost()
    assert desk.opened[0].closed
    (failed,) = side.tend(10)
    assert failed == Failed(Problem.DEVICE_LOST, '"Jabra" was unplugged.', 'Now using "Built-in".')
    assert side.device is desk.opened[1]
    desk.plugged["Jabra"] = "Jabra"
    assert side.tend(10 + RETRY_S / 2) == []
    assert side.tend(10 + RETRY_S) == [Recovered(Problem.DEVICE_LOST)]
    assert side.device is desk.opened[2]
    assert desk.opened[1].closed
    assert not side.due(100)


def test_without_any_loudspeaker_answers_come_in_writing_until_one_is_back() -> None:
    desk = Desk({"": "default"})
    side = Side("", loudspeaker_trouble, desk.open)
    desk.plugged.clear()
    desk.opened[0].alive = False
    assert side.lost()
    (failed,) = side.tend(0)
    assert failed == Failed(
        Problem.DEVICE_LOST, "The loudspeaker was lost.", "Answers come in writing until it is back."
    )
    assert side.device is None
    assert side.reported is Problem.DEVICE_LOST
    assert side.tend(RETRY_S) == []
    desk.plugged[""] = "default"
    assert side.tend(2 * RETRY_S) == [Recovered(Problem.DEVICE_LOST)]
    assert side.reported is None


def test_a_stream_that_only_stumbled_is_opened_again_without_a_word() -> None:
    desk = Desk({"": "default"})
    side = Side("", microphone_trouble, desk.open)
    desk.opened[0].alive = False
    assert side.lost()
    assert side.tend(0) == []
    assert side.device is desk.opened[1]


def test_a_computer_without_a_microphone_says_so_once() -> None:
    desk = Desk({})
    side = Side("", microphone_trouble, desk.open)
    (failed,) = side.tend(0)
    assert isinstance(failed, Failed)
    assert failed.problem is Problem.NO_MICROPHONE
    assert side.tend(RETRY_S) == side.tend(2 * RETRY_S) == []
    desk.plugged[""] = "Built-in"
    assert side.tend(3 * RETRY_S) == [Recovered(Problem.NO_MICROPHONE)]


def test_a_chosen_device_that_is_not_connected_is_named() -> None:
    side = Side("Jabra", microphone_trouble, Desk({"": "Built-in"}).open)
    (failed,) = side.tend(0)
    assert failed == Failed(Problem.DEVICE_LOST, '"Jabra" is not connected.', 'Now using "Built-in".')


def test_lost_again_is_told_again() -> None:
    desk = Desk({"": "default"})
    side = Side("", microphone_trouble, desk.open)
    for now in (0.0, 10.0):
        name = desk.plugged.pop("")
        desk.opened[-1].alive = False
        assert side.lost()
        assert [type(event) for event in side.tend(now)] == [Failed]
        desk.plugged[""] = name
        assert side.tend(now + RETRY_S) == [Recovered(Problem.DEVICE_LOST)]
