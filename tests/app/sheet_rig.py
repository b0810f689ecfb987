"""A window to open sheets over, and the services of the settings dialog with their outcomes written down."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QEvent, Qt, QThreadPool, QTimer
from PySide6.QtWidgets import (
    QAbstractButton,
    QApplication,
    QDialogButtonBox,
    QFileDialog,
    QLineEdit,
    QPushButton,
    QWidget,
)

from app.keys import KeyStore
from app.model_fetch import ModelFetch
from app.settings_services import PerformerCard, Requirement, SettingsServices, SoundDevices
from app.theme import Theme
from core.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from app.model_fetch import Bring
    from core.dialogue.probe import EndpointReport
    from core.settings import DialogueSettings

PORTRAIT = PerformerCard("portrait", "Portrait", "Lips follow the voice.", (Requirement("Two cores", True),), True)
LIVETALK = PerformerCard(
    "livetalk",
    "LiveTalk 1.3B",
    "The whole picture is imagined anew.",
    (Requirement("NVIDIA GPU with 24 GB: this computer has none", False), Requirement("32 GB of memory", True)),
    False,
    "An NVIDIA GPU with 24 GB of memory or more.",
)


class OpenMicrophone:
    """Stands for a device that hears a steady voice."""

    def __init__(self) -> None:
        self.closed = False

    def level(self) -> float:
        return 0.6

    def close(self) -> None:
        self.closed = True


@dataclass
class Desk:
    """What the services were asked, and what they answer with."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    endpoint: Callable[[], EndpointReport] | None = None
    microphone: OpenMicrophone = field(default_factory=OpenMicrophone)
    refuse_folder: Exception | None = None
    keys_changed: int = 0
    figures: bool = False
    kinds: list[tuple[str, str]] | SettingsError = field(default_factory=lambda: [("vllm_omni", "vLLM-Omni")])
    bring: Bring = lambda _weights, _report, _stop: ()
    performers: Callable[[str], Sequence[PerformerCard]] = lambda _weights: (PORTRAIT, LIVETALK)
    fetching: ModelFetch = field(init=False)

    def __post_init__(self) -> None:
        self.fetching = ModelFetch(self.bring)

    def services(self, keys: KeyStore | None = None) -> SettingsServices:
        return SettingsServices(
            keys=keys or KeyStore({}, None),
            key_changed=self._key_changed,
            test_endpoint=self._test_endpoint,
            endpoint_kinds=self._endpoint_kinds,
            own_kinds=Path("endpoints.toml"),
            listen=lambda voice: self.asked.append(("listen", voice)),
            list_devices=lambda: SoundDevices(("Desk microphone", "Headset"), ("Headset",)),
            test_microphone=self._open_microphone,
            hush=lambda on: self.asked.append(("hush", on)),
            test_loudspeaker=lambda name, volume: self.asked.append(("play", name, volume)),
            performers=self.performers,
            fetching=self.fetching,
            check_folder=self._check_folder,
            figures_shown=lambda: self.figures,
            show_figures=self._show_figures,
            open_folder=lambda folder: self.asked.append(("open", folder)),
            models_folder=Path("models"),
            conversations_folder=Path("conversations"),
            versions=(("LiveTalk", "0.1.0"), ("Qt", "6.11.3")),
        )

    def _key_changed(self) -> None:
        self.keys_changed += 1

    def _test_endpoint(self, wanted: DialogueSettings, key: str) -> EndpointReport:
        self.asked.append(("test", wanted.url, wanted.model, key, wanted.voice))
        assert self.endpoint is not None
        return self.endpoint()

    def _endpoint_kinds(self) -> list[tuple[str, str]]:
        if isinstance(self.kinds, SettingsError):
            raise self.kinds
        return self.kinds

    def _open_microphone(self, name: str) -> OpenMicrophone:
        self.asked.append(("microphone", name))
        return self.microphone

    def _check_folder(self, folder: Path) -> None:
        if self.refuse_folder is not None:
            raise self.refuse_folder

    def _show_figures(self, shown: bool) -> None:
        self.figures = shown


def settle() -> None:
    """Let work in the background end, and its outcome arrive."""
    assert QThreadPool.globalInstance().waitForDone(10_000)
    for _ in range(3):
        QApplication.processEvents()
    forget_deleted()


def forget_deleted() -> None:
    """Outside a running event loop nothing that was told to delete itself does so by itself."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


def use_theme(app: QApplication, scheme: str = "dark", scale: float = 1.0) -> None:
    """Style the application, unless it is styled so already."""
    forget_deleted()
    if (app.property("theme"), app.property("textScale")) != (scheme, scale):
        Theme(app, scheme=scheme, contrast=False, scale=scale)


def window_with_opener() -> tuple[QWidget, QPushButton]:
    """A shown window of the usual size whose one button has the focus."""
    window = QWidget()
    opener = QPushButton("Open", window)
    window.resize(1280, 800)
    window.show()
    window.activateWindow()
    opener.setFocus()
    QApplication.processEvents()
    return window, opener


def answer_file_dialog(path: Path) -> None:
    """Fill in the real file dialog as soon as it is there: type the path, press its button."""

    def drive() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, QFileDialog):
            QTimer.singleShot(20, drive)
            return
        name = dialog.findChild(QLineEdit, "fileNameEdit")
        buttons = dialog.findChild(QDialogButtonBox, "buttonBox")
        assert name is not None
        assert buttons is not None
        name.setText(str(path))
        button = buttons.button(QDialogButtonBox.StandardButton.Open)
        (button or _first(buttons)).click()

    QTimer.singleShot(20, drive)


def focusable(root: QWidget) -> list[QWidget]:
    """What Tab can reach inside `root`, shown or not."""
    return [
        widget
        for widget in root.findChildren(QWidget)
        if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.focusProxy() is None
    ]


def _first(buttons: QDialogButtonBox) -> QAbstractButton:
    return buttons.buttons()[0]
