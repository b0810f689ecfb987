"""VideoView: asks for the frame due now, uploads it if it is another one, and draws it with its surround."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
from PySide6.QtCore import QEvent, QRectF, QSize, Qt
from PySide6.QtGui import (
    QColor,
    QImage,
    QLinearGradient,
    QOffscreenSurface,
    QOpenGLContext,
    QPainter,
    QSurfaceFormat,
    QVector2D,
    QVector3D,
    QVector4D,
)
from PySide6.QtOpenGL import QOpenGLBuffer, QOpenGLShader, QOpenGLShaderProgram, QOpenGLTexture
from PySide6.QtOpenGLWidgets import QOpenGLWidget
from PySide6.QtWidgets import QWidget

from app.floating import lasting
from app.picture import FEATHER, Edges, differ, edges_of, picture_rect
from app.theme import ASSETS, SURROUND_DARKEST, tokens

if TYPE_CHECKING:
    from collections.abc import Callable

    from PySide6.QtGui import QPaintEvent

    from core.media import Pixels, TimedFrame

CROSS_FADE_MS = 300
_EXPECTED_FOR_S = 10.0
"""How long after a change of avatar the first frame of the new one may take."""
_SETTLED_AFTER_S = 0.6
"""Frames of two avatars may run into each other for as long as this."""
_SOFTWARE = ("llvmpipe", "softpipe", "swrast", "swiftshader", "gdi generic", "software")
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


class Pictures:
    """The frames a view draws: the newest one, and while one avatar follows another, the last of the one before.

    Args:
        now: seconds that never go back.
    """

    def __init__(self, now: Callable[[], float] = time.perf_counter) -> None:
        self._now = now
        self._frame: TimedFrame | None = None
        self._old: Pixels | None = None
        self._expected_until = -1.0
        self._arrived_at = -1.0
        self._settles_at = -1.0
        self.current: Pixels | None = None
        self.before: Pixels | None = None
        self.edges = Edges()

    def take(self, frame: TimedFrame | None) -> bool:
        """Make `frame` the current one; False when it is already, or when there is none."""
        if frame is None or frame is self._frame:
            return False
        self._frame = frame
        last, self.current = self.current, frame.pixels
        now = self._now()
        if last is None:
            self.edges = edges_of(frame.pixels)
        elif self._old is not None and now < self._expected_until and differ(self._old, frame.pixels):
            self._old = None
            self.before = last
            self.edges = edges_of(frame.pixels)
            self._arrived_at = now
            self._settles_at = now + _SETTLED_AFTER_S
        elif 0 <= self._settles_at <= now:
            self.edges = edges_of(frame.pixels)
            self._settles_at = -1.0
        return True

    def expect_another(self) -> None:
        """The avatar changed: the first frame that is not like those before fades in over them. The engine may have it
        come in several steps, each of them small."""
        self._old = self.current
        self._expected_until = self._now() + _EXPECTED_FOR_S

    @property
    def arrived(self) -> float:
        """How far the cross-fade is, 1 when there is none."""
        if self.before is None:
            return 1.0
        duration = lasting(CROSS_FADE_MS) / 1000
        part = (self._now() - self._arrived_at) / duration if duration else 1.0
        if part >= 1:
            self.before = None
            return 1.0
        return part

    @property
    def aspect(self) -> float:
        return 1.0 if self.current is None else self.current.shape[1] / self.current.shape[0]


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


class RasterView(QWidget):
    """The picture without OpenGL: composed once for each frame and size, then copied where a repaint asks."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.pictures = Pictures()
        self._composed: QImage | None = None
        self.opengl_missing = False
        """Nobody chose this view: the system has no OpenGL."""
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)

    def show_frame(self, frame: TimedFrame | None) -> bool:
        """Draw `frame` if it is another one; whether it was."""
        changed = self.pictures.take(frame)
        if changed or self.pictures.before is not None:
            self._composed = None
            self.update()
        return changed

    def changeEvent(self, event: QEvent) -> None:
        if event.type() == QEvent.Type.PaletteChange:
            self._composed = None
        super().changeEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        size = self.size() * self.devicePixelRatioF()
        if self._composed is None or self._composed.size() != size:
            self._composed = compose(self.pictures, size)
            self._composed.setDevicePixelRatio(self.devicePixelRatioF())
        painter = QPainter(self)
        where = event.rect()
        scale = self.devicePixelRatioF()
        source = QRectF(where.x() * scale, where.y() * scale, where.width() * scale, where.height() * scale)
        painter.drawImage(QRectF(where), self._composed, source)


VideoView = GlView | RasterView


def compose(pictures: Pictures, size: QSize) -> QImage:
    """The whole stage as an image: surround, picture, feather."""
    made = QImage(size, QImage.Format.Format_RGB32)
    painter = QPainter(made)
    if pictures.current is None:
        painter.fillRect(made.rect(), QColor(tokens().canvas))
        painter.end()
        return made
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    place = picture_rect(size.width(), size.height(), pictures.aspect)
    arrived = pictures.arrived
    if pictures.before is not None:
        painter.drawImage(place, _image(pictures.before))
        painter.setOpacity(arrived)
    painter.drawImage(place, _image(pictures.current))
    painter.setOpacity(1.0)
    if place.width() < size.width():
        _surround(painter, pictures.edges, place, size)
    painter.end()
    return made


def _image(pixels: Pixels) -> QImage:
    height, width = pixels.shape[:2]
    return QImage(np.ascontiguousarray(pixels).data, width, height, 3 * width, QImage.Format.Format_RGB888)


def _surround(painter: QPainter, edges: Edges, place: QRectF, size: QSize) -> None:
    """Both sides: from the stage's edge to the picture's, and over the picture's feather to nothing."""
    soft = place.width() * FEATHER
    for from_x, edge_x, to_x, colour in (
        (0.0, place.left(), place.left() + soft, edges.left),
        (float(size.width()), place.right(), place.right() - soft, edges.right),
    ):
        run = QLinearGradient(from_x, 0, to_x, 0)
        edge_at = (edge_x - from_x) / (to_x - from_x)
        for part in _GRADIENT_STOPS:
            outside = 1 - (1 - SURROUND_DARKEST) * (1 - part) ** 1.3
            run.setColorAt(edge_at * part, QColor.fromRgbF(*(channel * outside for channel in colour)))
            run.setColorAt(edge_at + (1 - edge_at) * part, QColor.fromRgbF(*colour, 1 - _smooth(part)))
        left, right = sorted((from_x, to_x))
        painter.fillRect(QRectF(left, 0, right - left, size.height()), run)


_GRADIENT_STOPS = tuple(part / 8 for part in range(9))


def _smooth(part: float) -> float:
    """The shader's smoothstep."""
    return part * part * (3 - 2 * part)


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
