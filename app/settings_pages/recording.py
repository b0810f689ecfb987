"""Settings › Recording: where recordings go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit

from app.background import run_in_background
from app.form import Outcome, button, field, hint
from app.settings_pages.page import Form, Page
from core.settings import recording_folder

if TYPE_CHECKING:
    from core.settings import Settings


class RecordingPage(Page):
    """The folder of recordings. One that cannot be written is refused on the spot."""

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.head(self.tr("Recording"), self.tr("Ctrl+R records exactly what is shown and heard."))
        self.folder = QLineEdit()
        self.folder.setReadOnly(True)
        self.choose = button(self.tr("Choose…"), pressed=self._choose)
        self.outcome = Outcome()
        self.add(field(self.tr("Folder"), self.folder, self.choose, below=self.outcome))
        row = QHBoxLayout()
        self.open = button(self.tr("Open folder"), pressed=self._open)
        self.usual = button(self.tr("Use the usual folder"), "quiet", self._use_usual)
        row.addWidget(self.open)
        row.addWidget(self.usual)
        row.addStretch(1)
        self.add(row)
        self.add(
            hint(
                self.tr(
                    "Each recording is an mp4 file with a .vtt file of the words beside it. "
                    "The file says that the picture is AI-generated."
                )
            )
        )
        self.finish()
        self.show_settings(form.settings)

    def show_settings(self, settings: Settings) -> None:
        self.folder.setText(str(recording_folder(settings.recording)))
        self.usual.setEnabled(bool(settings.recording.folder))

    def _choose(self) -> None:
        dialog = QFileDialog(self, self.tr("Where recordings go"), self.folder.text())
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setOption(QFileDialog.Option.ShowDirsOnly)
        dialog.fileSelected.connect(lambda chosen: self._try(Path(chosen)))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def _try(self, folder: Path) -> None:
        check = self.form.services.check_folder
        run_in_background(self, lambda: check(folder), lambda _: self._use(str(folder)), self.outcome.failed)

    def _use(self, folder: str) -> None:
        self.outcome.hide()
        self.form.change("recording", folder=folder)
        self.show_settings(self.form.settings)

    def _use_usual(self) -> None:
        self._use("")
        self.choose.setFocus()

    def _open(self) -> None:
        self.form.services.open_folder(recording_folder(self.form.settings.recording))
