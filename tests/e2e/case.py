"""Case: reads the window of the program that runs, and presses what it offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import Qt
from PySide6.QtTest import QTest

from core.events import Replying

if TYPE_CHECKING:
    from PySide6.QtWidgets import QPushButton

    from core.errors import Problem
    from tests.e2e.conftest import Running


class Case:
    """Reads the window, and presses what it offers."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.window = running.window
        self.problem = running.window.stage.problem

    def told(self, problem: Problem, title: str, limit_s: float = 15.0) -> str:
        """The advice of the problem, once it is on the glass with this title."""

        def shown() -> bool:
            message = self.problem.message
            return message is not None and (message.problem, message.title) == (problem, title)

        try:
            self.running.until(shown, limit_s)
        except Exception as error:
            on_glass, seen = self.problem.message, self.running.events.seen[-6:]
            raise AssertionError(f"{title!r} is not shown but {on_glass}; seen: {seen}") from error
        assert self.problem.message is not None
        return self.problem.message.advice

    def gone(self) -> None:
        """Nothing is on the glass any more."""
        try:
            self.running.until(lambda: self.problem.message is None)
        except Exception as error:
            on_glass, seen = self.problem.message, self.running.events.seen[-6:]
            raise AssertionError(f"still shown: {on_glass}; seen: {seen}") from error

    def press(self, words: str) -> None:
        self.offered(words).click()

    def offered(self, words: str) -> QPushButton:
        """The button with these words; Qt shows it a moment after the problem."""

        def found() -> list[QPushButton]:
            return [button for button in self.problem.buttons if button.text() == words]

        self.running.until(lambda: bool(found()))
        return found()[0]

    def type(self, words: str) -> None:
        QTest.keyClick(self.window, Qt.Key.Key_L, Qt.KeyboardModifier.ControlModifier)
        QTest.keyClicks(self.window.focusWidget(), words)
        QTest.keyClick(self.window.focusWidget(), Qt.Key.Key_Return)

    def said(self) -> list[str]:
        return [view.said for view in self.window.panel.transcript.turns]

    def notes(self) -> list[str]:
        return [view.note for view in self.window.panel.transcript.turns if view.note]

    def answered(self, text: str) -> None:
        self.running.until_event(Replying, lambda event: event.done and event.text == text)

    def alive(self) -> None:
        """The picture goes on, and the window answers."""
        before = self.running.engine.statistics().shown
        self.running.until(lambda: self.running.engine.statistics().shown > before + 5)
