"""FakeEngine: a scripted conversation without threads; what the window asked of it is in `asked`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from core.media import TimedFrame

if TYPE_CHECKING:
    from pathlib import Path

    from core.media import Pixels
    from core.settings import Settings


@dataclass(frozen=True)
class FakeLevels:
    microphone: float = 0.0
    voice: float = 0.0


@dataclass(frozen=True)
class FakeStatistics:
    fps: float = 25.0
    shown: int = 7512
    late: int = 3
    dropped: int = 0
    underruns: int = 0
    drawn_by: str = ""


@dataclass(frozen=True)
class FakeCaption:
    text: str
    by_user: bool = False


@dataclass(frozen=True)
class FakeEntry:
    role: Literal["user", "assistant"]
    text: str
    turn: int
    unheard: str = ""
    cut: bool = False
    answered: bool = True
    private: bool = False
    broken: bool = False
    time: datetime = datetime(2026, 11, 21, 14, 2)


class FakeEngine:
    """Set `frame`, `now_levels`, `now_caption` and `entries`; read `asked`, a list of (method, argument)."""

    def __init__(self, pixels: Pixels | None = None) -> None:
        self.frame = None if pixels is None else TimedFrame(pixels, 0, None)
        self.now_levels = FakeLevels()
        self.now_statistics = FakeStatistics()
        self.now_caption: FakeCaption | None = None
        self.entries: list[FakeEntry] = []
        self.asked: list[tuple[str, object]] = []

    def frame_due(self) -> TimedFrame | None:
        return self.frame

    def levels(self) -> FakeLevels:
        return self.now_levels

    def statistics(self) -> FakeStatistics:
        return self.now_statistics

    def caption(self) -> FakeCaption | None:
        return self.now_caption

    def transcript(self) -> list[FakeEntry]:
        return self.entries

    def say(self, text: str) -> None:
        self.asked.append(("say", text))

    def interrupt(self) -> None:
        self.asked.append(("interrupt", None))

    def hold(self, pressed: bool) -> None:
        self.asked.append(("hold", pressed))

    def set_microphone(self, on: bool) -> None:
        self.asked.append(("set_microphone", on))

    def apply(self, settings: Settings) -> bool:
        self.asked.append(("apply", settings))
        return True

    def retry(self) -> None:
        self.asked.append(("retry", None))

    def answer_here(self) -> None:
        self.asked.append(("answer_here", None))

    def go_on(self) -> None:
        self.asked.append(("go_on", None))

    def start_recording(self) -> None:
        self.asked.append(("start_recording", None))

    def stop_recording(self) -> None:
        self.asked.append(("stop_recording", None))

    def look(self, path: Path, said: object) -> None:
        self.asked.append(("look", path, said))

    def change_avatar(self, key: str) -> None:
        self.asked.append(("change_avatar", key))

    def leave_conversation(self, path: Path) -> None:
        self.asked.append(("leave_conversation", path))

    def new_conversation(self, private: bool) -> None:
        self.asked.append(("new_conversation", private))

    def open_conversation(self, path: Path) -> None:
        self.asked.append(("open_conversation", path))

    def close(self) -> None:
        self.asked.append(("close", None))
