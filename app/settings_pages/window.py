"""Settings › Window: how the window behaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.form import TickBox, hint
from app.settings_pages.page import Form, Page

if TYPE_CHECKING:
    from core.settings import Settings


class WindowPage(Page):
    """One check box for each field of `WindowSettings` that is a choice."""

    def __init__(self, form: Form) -> None:
        super().__init__(form)
        self.head(self.tr("Window"), self.tr("How the window looks and behaves."))
        self.boxes = {
            "subtitles": self._box("subtitles", self.tr("Show what is said as captions on the picture")),
            "always_on_top": self._box("always_on_top", self.tr("Keep the window above others")),
            "reduce_motion": self._box("reduce_motion", self.tr("Reduce motion: nothing fades or slides")),
            "raster": self._box("raster", self.tr("Draw the picture without OpenGL")),
        }
        self.add(hint(self.tr("Without OpenGL helps where a graphics driver shows the picture wrongly.")))
        self.finish()
        self.show_settings(form.settings)

    def show_settings(self, settings: Settings) -> None:
        for name, box in self.boxes.items():
            box.setChecked(getattr(settings.window, name))

    def _box(self, name: str, words: str) -> TickBox:
        box = TickBox(words)
        box.clicked.connect(lambda on: self.form.change("window", **{name: on}))
        self.add(box)
        return box
