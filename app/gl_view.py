"""GlView: draws the frame due now by OpenGL; uploads it if it is another one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtGui import QColor, QOffscreenSurface, QOpenGLContext, QSurfaceFormat, QVector2D, QVector3D, QVector4D
from PySide6.QtOpenGL import QOpenGLBuffer, QOpenGLShader, QOpenGLShaderProgram, QOpenGLTexture
from PySide6.QtOpenGLWidgets import QOpenGLWidget

from app.picture import FEATHER, picture_rect
from app.theme import ASSETS, SURROUND_DARKEST, tokens
from app.view_pictures import Pictures

if TYPE_CHECKING:
    from PySide6.QtCore import QRectF
    from PySide6.QtWidgets import QWidget

    from app.picture import Edges
    from core.media import Pixels, TimedFrame

_GL_COLOR_BUFFER_BIT = 0x4000
_GL_TEXTURE_2D = 0x0DE1
_GL_RGB = 0x1907
_GL_UNSIGNED_BYTE = 0x1401
_GL_UNPACK_ALIGNMENT = 0x0CF5
_GL_TRIANGLE_STRIP = 0x0005
_GL_FLOAT = 0x1406
_GL_RENDERER = 0x1F01
_UNIFORMS = (
    "picture",
    "before",
    "arrived",
    "stage",
    "place",
    "left_edge",
    "right_edge",
    "texels",
    "feather",
    "darkest",
)


class GlView(QOpenGLWidget):
    """The picture by OpenGL 2.1 or ES 2."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pictures = Pictures()
        self._painter: _GlPainter | None = None
        wanted = self.format()
        wanted.setSwapInterval(0)
        self.setFormat(wanted)
        self.setUpdateBehavior(QOpenGLWidget.UpdateBehavior.NoPartialUpdate)

    def show_frame(self, frame: TimedFrame | None) -> bool:
        """Draw `frame` if it is another one; whether it was."""
        changed = self.pictures.take(frame)
        if changed or self.pictures.before is not None:
            self.update()
        return changed

    def initializeGL(self) -> None:
        self._painter = _GlPainter(self.context())
        self.context().aboutToBeDestroyed.connect(self._painter.close)

    def paintGL(self) -> None:
        if self._painter is None:
            return
        scale = self.devicePixelRatioF()
        self._painter.paint(self.pictures, round(self.width() * scale), round(self.height() * scale))


class _GlPainter:
    """The GL objects of one context; everything here happens while it is current."""

    def __init__(self, context: QOpenGLContext) -> None:
        self._gl = context.functions()
        self._program = QOpenGLShaderProgram()
        for kind, name in (
            (QOpenGLShader.ShaderTypeBit.Vertex, "vert"),
            (QOpenGLShader.ShaderTypeBit.Fragment, "frag"),
        ):
            source = (ASSETS / "shaders" / f"picture.{name}").read_text("utf-8")
            if not self._program.addShaderFromSourceCode(kind, source):
                raise RuntimeError(self._program.log())
        if not self._program.link():
            raise RuntimeError(self._program.log())
        self._places = {name: self._program.uniformLocation(name.encode()) for name in _UNIFORMS}
        self._corner = self._program.attributeLocation(b"corner")
        corners = np.array([0, 0, 1, 0, 0, 1, 1, 1], np.float32)
        self._corners = QOpenGLBuffer(QOpenGLBuffer.Type.VertexBuffer)
        self._corners.create()
        self._corners.bind()
        self._corners.allocate(corners.tobytes(), corners.nbytes)
        self._corners.release()
        self._picture = _Texture(context)
        self._before = _Texture(context)

    def close(self) -> None:
        self._picture.close()
        self._before.close()
        self._corners.destroy()

    def paint(self, pictures: Pictures, width: int, height: int) -> None:
        if pictures.current is None:
            canvas = QColor(tokens().canvas)
            self._gl.glClearColor(canvas.redF(), canvas.greenF(), canvas.blueF(), 1.0)
            self._gl.glClear(_GL_COLOR_BUFFER_BIT)
            return
        place = picture_rect(width, height, pictures.aspect)
        minified = place.height() < pictures.current.shape[0]
        arrived = pictures.arrived
        if pictures.before is not None:
            self._before.hold(pictures.before, minified)
            self._before.bind(1)
        self._picture.hold(pictures.current, minified)
        self._picture.bind(0)
        tall, wide = pictures.current.shape[:2]
        texels = QVector2D() if minified else QVector2D(wide, tall)
        self._draw(pictures.edges, place, QVector2D(width, height), texels, arrived)

    def _draw(self, edges: Edges, place: QRectF, stage: QVector2D, texels: QVector2D, arrived: float) -> None:
        program, at = self._program, self._places
        program.bind()
        program.setUniformValue1i(at["picture"], 0)
        program.setUniformValue1i(at["before"], 1)
        program.setUniformValue1f(at["arrived"], arrived)
        program.setUniformValue1f(at["feather"], FEATHER if place.width() < stage.x() else 0.0)
        program.setUniformValue1f(at["darkest"], SURROUND_DARKEST)
        program.setUniformValue(at["stage"], stage)
        program.setUniformValue(at["texels"], texels)
        program.setUniformValue(at["place"], QVector4D(place.x(), place.y(), place.width(), place.height()))
        program.setUniformValue(at["left_edge"], QVector3D(*edges.left))
        program.setUniformValue(at["right_edge"], QVector3D(*edges.right))
        self._corners.bind()
        program.enableAttributeArray(self._corner)
        program.setAttributeBuffer(self._corner, _GL_FLOAT, 0, 2)
        self._gl.glDrawArrays(_GL_TRIANGLE_STRIP, 0, 4)
        program.disableAttributeArray(self._corner)
        self._corners.release()
        program.release()


class _Texture:
    """One picture on the GPU; uploads only what it does not hold already."""

    def __init__(self, context: QOpenGLContext) -> None:
        self._gl = context.functions()
        self._texture: QOpenGLTexture | None = None
        self._held: Pixels | None = None
        self._has_mipmaps = False

    def hold(self, pixels: Pixels, minified: bool) -> None:
        """Upload RGB [h, w, 3]; with mipmaps when it will be drawn smaller than it is."""
        if pixels is not self._held:
            self._upload(pixels)
            self._held = pixels
            self._has_mipmaps = False
        if self._texture is None:
            return
        if minified and not self._has_mipmaps:
            self._texture.generateMipMaps()
            self._has_mipmaps = True
        kind = QOpenGLTexture.Filter
        self._texture.setMinificationFilter(kind.LinearMipMapLinear if minified else kind.Linear)

    def bind(self, unit: int) -> None:
        if self._texture is not None:
            self._texture.bind(unit)

    def close(self) -> None:
        if self._texture is not None:
            self._texture.destroy()
            self._texture = None
        self._held = None

    def _upload(self, pixels: Pixels) -> None:
        height, width = pixels.shape[:2]
        if self._texture is None or (self._texture.width(), self._texture.height()) != (width, height):
            self.close()
            self._texture = self._allocate(width, height)
        self._texture.bind()
        self._gl.glPixelStorei(_GL_UNPACK_ALIGNMENT, 1)
        data = np.ascontiguousarray(pixels).data.cast("B")
        self._gl.glTexSubImage2D(_GL_TEXTURE_2D, 0, 0, 0, width, height, _GL_RGB, _GL_UNSIGNED_BYTE, data)  # pyright: ignore[reportArgumentType] - VoidPtr takes buffers
        self._texture.release()

    def _allocate(self, width: int, height: int) -> QOpenGLTexture:
        made = QOpenGLTexture(QOpenGLTexture.Target.Target2D)
        made.setSize(width, height)
        made.setFormat(QOpenGLTexture.TextureFormat.RGB8_UNorm)
        made.setAutoMipMapGenerationEnabled(False)
        made.setMipLevels(made.maximumMipLevels())
        made.allocateStorage(QOpenGLTexture.PixelFormat.RGB, QOpenGLTexture.PixelType.UInt8)
        made.setWrapMode(QOpenGLTexture.WrapMode.ClampToEdge)
        made.setMagnificationFilter(QOpenGLTexture.Filter.Linear)
        return made


def opengl_renderer() -> str:
    """The name of what draws OpenGL here, empty when nothing does."""
    context = QOpenGLContext()
    context.setFormat(QSurfaceFormat.defaultFormat())
    if not context.create():
        return ""
    surface = QOffscreenSurface()
    surface.setFormat(context.format())
    surface.create()
    if not surface.isValid() or not context.makeCurrent(surface):
        return ""
    name = context.functions().glGetString(_GL_RENDERER)
    context.doneCurrent()
    surface.destroy()
    return str(name or "")
