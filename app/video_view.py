"""VideoView: which way of drawing the picture suits this computer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.gl_view import GlView, opengl_renderer
from app.raster_view import RasterView

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "software")

VideoView = GlView | RasterView


def make_view(parent: QWidget | None, raster: bool) -> VideoView:
    """The view for this computer. Software OpenGL costs more than painting, so it counts as none.

    Args:
        raster: the person asked for painting without OpenGL.
    """
    if raster:
        return RasterView(parent)
    renderer = opengl_renderer()
    if not renderer or any(name in renderer.lower() for name in _SOFTWARE):
        view = RasterView(parent)
        view.opengl_missing = not renderer
        return view
    return GlView(parent)
