"""What the doctor tries in a process of its own, because failing may end that process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_GL_RENDERER = 0x1F01
_GL_VERSION = 0x1F02


def screen() -> dict[str, object]:
    """The screen Qt opens and the OpenGL it gives; without a screen Qt aborts here."""
    from PySide6.QtGui import QGuiApplication

    application = QGuiApplication(["livetalk"])
    found = application.primaryScreen()
    size = found.size()
    described = f"{size.width()}x{size.height()} at {found.refreshRate():.0f} Hz, {application.platformName()}"
    return {"screen": described, "opengl": _opengl()}


def _opengl() -> str:
    from PySide6.QtGui import QOffscreenSurface, QOpenGLContext

    surface, context = QOffscreenSurface(), QOpenGLContext()
    surface.create()
    if not (context.create() and context.makeCurrent(surface)):
        return ""
    functions = context.functions()
    described = f"{functions.glGetString(_GL_RENDERER)}, {functions.glGetString(_GL_VERSION)}"
    context.doneCurrent()
    return described


def sound() -> dict[str, object]:
    """The names of the default devices, empty where there is none."""
    import sounddevice

    devices = sounddevice.query_devices()
    chosen = dict(zip(("input", "output"), sounddevice.default.device, strict=True))
    return {kind: devices[index]["name"] if index >= 0 else "" for kind, index in chosen.items()}


PROBES: dict[str, Callable[[], dict[str, object]]] = {"screen": screen, "sound": sound}
