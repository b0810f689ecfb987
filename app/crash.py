"""What happens when something breaks: hooks, a log for what kills the process, and a report to send.

Reports hold a traceback and versions; nothing that was said, no key, and no prompt.
"""

from __future__ import annotations

import faulthandler
import logging
import platform
import sys
import threading
import traceback
from typing import TYPE_CHECKING, TextIO

from PySide6.QtCore import QCoreApplication, QObject, Qt, Signal, qVersion
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QDialog,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from core.errors import LiveTalkError, Problem

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

log = logging.getLogger(__name__)


class CrashLog:
    """The file that faulthandler writes when the process is killed by a fault; empty after a good end. Whoever makes
    one is the only instance: it forgets what another one wrote.

    `left_behind` is what the run before left there.

    Raises:
        LiveTalkError: the folder cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.left_behind = self._read()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: TextIO = path.open("w", encoding="utf-8")
        except OSError as error:
            raise _unwritable(path.parent, error) from error
        faulthandler.enable(self._file)

    def close(self) -> None:
        """A good end leaves nothing behind."""
        faulthandler.disable()
        self._file.close()
        self._path.unlink(missing_ok=True)

    def _read(self) -> str:
        try:
            return self._path.read_text("utf-8", errors="replace").strip()
        except OSError:
            return ""


def _unwritable(folder: Path, error: OSError) -> LiveTalkError:
    tr = QCoreApplication.translate
    return LiveTalkError(
        Problem.FOLDER_UNWRITABLE,
        tr("Message", "LiveTalk cannot write to its folder."),
        tr("Message", 'Check that "{folder}" can be written, then start LiveTalk again.').format(folder=folder),
        detail=str(error),
    )


class Hooks(QObject):
    """Takes over every place where Python hands in an exception that nobody caught.

    `broke` carries a report; `interrupted` is Ctrl+C in the terminal that LiveTalk was started from.
    """

    broke = Signal(str)
    interrupted = Signal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._before = (sys.excepthook, threading.excepthook, sys.unraisablehook)
        sys.excepthook = self._uncaught
        threading.excepthook = self._uncaught_in_thread
        sys.unraisablehook = self._unraisable

    def close(self) -> None:
        sys.excepthook, threading.excepthook, sys.unraisablehook = self._before

    def _uncaught(self, kind: type[BaseException], error: BaseException, at: TracebackType | None) -> None:
        if issubclass(kind, KeyboardInterrupt):
            self.interrupted.emit()
            return
        log.critical("nobody caught this", exc_info=(kind, error, at))
        self.broke.emit(report_of(error))

    def _uncaught_in_thread(self, hook: threading.ExceptHookArgs) -> None:
        name = hook.thread.name if hook.thread else "a thread"
        log.critical("thread %s ended by an exception", name, exc_info=hook.exc_value)
        if hook.exc_value is not None:
            self.broke.emit(report_of(hook.exc_value, f"thread {name}"))

    def _unraisable(self, hook: sys.UnraisableHookArgs) -> None:
        log.error("%s: %r", hook.err_msg or "an exception could not be raised", hook.object, exc_info=hook.exc_value)


def report_of(error: BaseException, where: str = "the window") -> str:
    """A report of an exception: where, versions, and the calls that led to it."""
    return with_versions(f"In {where}:\n" + "".join(traceback.format_exception(error)))


def with_versions(text: str) -> str:
    machine = f"{platform.system()} {platform.release()}, Python {platform.python_version()}, Qt {qVersion()}"
    return f"{text.strip()}\n\n{machine}\n"


class ReportDialog(QDialog):
    """Offers a report, to read, copy or save; nothing is sent by itself. `quit_wanted` when the person wants to end."""

    quit_wanted = Signal()

    def __init__(self, report: str, parent: QWidget | None = None, earlier: bool = False) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.setWindowTitle(self.tr("LiveTalk"))
        title = QLabel(
            self.tr("LiveTalk ended unexpectedly last time.") if earlier else self.tr("Something in LiveTalk broke.")
        )
        title.setProperty("role", "title")
        advice = QLabel(
            self.tr(
                "The conversation up to there is kept. This report helps to find the cause; "
                "it holds nothing that was said. Nothing is sent by itself."
            ),
            wordWrap=True,
        )
        advice.setProperty("role", "supporting")
        self.text = QPlainTextEdit(report, self, readOnly=True)
        self.text.setAccessibleName(self.tr("Report"))
        self.text.hide()
        buttons = QHBoxLayout()
        self._add(buttons, self.tr("Details"), self._unfold)
        self._add(buttons, self.tr("Copy"), self._copy)
        self._add(buttons, self.tr("Save…"), self._save)
        buttons.addStretch(1)
        if not earlier:
            self._add(buttons, self.tr("Quit LiveTalk"), self._quit)
        self.close_button = self._add(buttons, self.tr("Close"), self.accept, "primary")
        self.close_button.setDefault(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(28, 24, 28, 24)
        column.setSpacing(12)
        column.setSizeConstraint(QVBoxLayout.SizeConstraint.SetMinimumSize)
        column.addWidget(title)
        column.addWidget(advice)
        column.addWidget(self.text, 1)
        column.addLayout(buttons)

    def _add(self, row: QHBoxLayout, words: str, does: object, kind: str = "") -> QPushButton:
        button = QPushButton(words)
        button.setProperty("kind", kind)
        button.clicked.connect(does)
        row.addWidget(button)
        return button

    def _unfold(self) -> None:
        self.text.setVisible(self.text.isHidden())
        self.resize(680, 460) if self.text.isVisible() else self.adjustSize()

    def _copy(self) -> None:
        QGuiApplication.clipboard().setText(self.text.toPlainText())

    def _save(self) -> None:
        dialog = QFileDialog(self, self.tr("Save the report"), "livetalk-report.txt", self.tr("Text (*.txt)"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.fileSelected.connect(self._write)
        dialog.open()

    def _write(self, path: str) -> None:
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(self.text.toPlainText())
        except OSError as error:
            self.text.appendPlainText(f"\n{error}")

    def _quit(self) -> None:
        self.accept()
        self.quit_wanted.emit()
