"""Pictures: who is to be on the stage. What a person brings is looked at first, and asked about where that helps."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject

from app.background import run_in_background
from app.messages import Action, picture_refused
from core.errors import NoFace, SeveralFaces
from core.performer.protocol import UNSAID, Said

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtWidgets import QWidget

    from app.main_window import MainWindow
    from core.errors import LiveTalkError

    Check = Callable[[Path, Said], None]
    """Looks at a picture of the person's own, with what they say of it; raises `PerformerError` when it cannot serve,
    `SeveralFaces` where there is a choice, `NoFace` where it may be shown. What can serve is remembered with what was
    said. Pool thread."""


class Pictures(QObject):
    """Takes what the window is brought, by the file dialog or dropped, and puts on the stage what can serve. A wish
    that comes while no conversation runs waits for the next one; the newest wins. GUI thread."""

    def __init__(self, window: MainWindow, check: Check) -> None:
        super().__init__(window)
        self._window = window
        self._check = check
        self._wish = ""
        self._tries = 0
        self._refused: tuple[Path, LiveTalkError] | None = None
        window.picture_brought.connect(self.bring)
        window.action_wanted.connect(self._act)
        window.attached.connect(self._attached)

    def use(self, key: str) -> None:
        """Put a shipped portrait, or a picture that was found fit, on the stage."""
        self._tries += 1
        engine = self._window.engine
        if engine is None:
            self._wish = key
        else:
            engine.change_avatar(key)

    def bring(self, path: str, said: Said = UNSAID) -> None:
        """Look at a picture of the person's own, with what they say of it, and use it where it can serve."""
        self._tries += 1
        if self._window.engine is None:
            self._wish = path
            return
        check, picture = self._check, Path(path)
        run_in_background(
            self,
            lambda: check(picture, said),
            partial(self._fit, self._tries, path),
            partial(self._refuse, self._tries, picture),
        )

    def _attached(self) -> None:
        wish, self._wish = self._wish, ""
        if wish:
            (self.bring if Path(wish).is_absolute() else self.use)(wish)

    def _fit(self, number: int, path: str, _: None) -> None:
        if number == self._tries:
            self.use(path)

    def _refuse(self, number: int, path: Path, error: LiveTalkError) -> None:
        if number == self._tries:
            self._refused = (path, error)
            self._window.stage.show_problem(picture_refused(error))

    def _act(self, action: Action) -> None:
        if action in (Action.CHOOSE_FACE, Action.PLACE_POINTS) and self._refused is not None:
            path, error = self._refused
            still = self._window.settings.window.reduce_motion
            ask_about(
                path,
                error,
                self._window,
                self._check,
                fit=lambda: self.use(str(path)),
                chosen=lambda face: self.bring(str(path), Said(face)),
                reduce_motion=still,
            )


def ask_about(
    path: Path,
    error: LiveTalkError,
    parent: QWidget,
    check: Check,
    *,
    fit: Callable[[], None],
    chosen: Callable[[int], None],
    reduce_motion: bool,
) -> None:
    """Ask what only a person can say of a refused picture: which face (`chosen`), or where it is (`fit`, when it serves
    with those points)."""
    if isinstance(error, SeveralFaces):
        from app.face_choice import FaceChoice

        choice = FaceChoice(path, error.boxes, parent, reduce_motion)
        choice.chosen.connect(chosen)
        choice.open()
    elif isinstance(error, NoFace):
        from app.face_points import FacePoints

        points = FacePoints(path, lambda placed: check(path, Said(points=placed)), parent, reduce_motion)
        points.fit.connect(fit)
        points.open()
