"""The look at the picture: is it still this portrait, sharp and whole, and do its lips do what the motion says?"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from core.evaluation.people import correlation
from core.evaluation.report import Figure, Look
from core.media import SpeechBlock
from core.performer.portrait.face import FaceMotion
from core.performer.portrait.identity import make_identity
from core.performer.portrait.imaging import blurred, grey
from core.performer.portrait.mesh import fit_pose
from core.performer.portrait.performer import PortraitPerformance
from core.performer.portrait.warp import PortraitPainter
from core.training.rig import lip_gap

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.evaluation.acting import Actor
    from core.media import Pixels, Samples
    from core.performer.portrait.identity import PortraitIdentity
    from core.performer.portrait.landmarks import FaceFinder

Floats = npt.NDArray[np.float64]
TITLE = "The picture"
SEED = 5
SECONDS_EACH = 8.0
EVERY = 3
"""Of the drawn frames that are looked at."""
EDGE = 2
"""px at the picture's border, where nothing may move."""
DETAIL = 1.0
"""px of the least detail that is looked at."""


def look(
    actor: Actor, finder: FaceFinder, portraits: dict[str, Pixels], sound: Samples, done: Callable[[float], object]
) -> Look:
    """`portraits` by name; `sound` is speech at the model's rate, as long as `SECONDS_EACH`."""
    figures: list[Figure] = []
    for name, picture in portraits.items():
        begun = time.perf_counter()
        identity = make_identity(picture, finder)
        taken = time.perf_counter() - begun
        motion = _motion(actor, identity, sound)
        figures.append(Figure(f"{name}: made ready", taken, most=1.5, unit="s"))
        figures.extend(_figures(name, identity, motion, finder))
        done(SECONDS_EACH)
    return Look(TITLE, figures)


def _figures(name: str, identity: PortraitIdentity, motion: FaceMotion, finder: FaceFinder) -> list[Figure]:
    painter = PortraitPainter(identity)
    still = painter.paint(FaceMotion(*(np.zeros_like(part[:1]) for part in vars(motion).values())))[0]
    frames = [painter.paint(motion.part(at, at + 1))[0] for at in range(0, len(motion), EVERY)]
    wanted = lip_gap(motion.displacement[::EVERY].astype(np.float64))
    portrait = identity.picture.astype(int)
    changed = float(np.abs(still.astype(int) - portrait).max())
    edges = [_border(np.abs(frame.astype(int) - portrait)).max() for frame in frames]
    sharp = np.median([_detail(frame, identity) for frame in frames]) / _detail(identity.picture, identity)
    seen = np.array([_traced_gap(frame, finder) for frame in frames])
    traced = np.isfinite(seen)
    return [
        Figure(f"{name}: no motion changes", changed, most=0, unit="grey levels"),
        Figure(f"{name}: the border changes", float(max(edges)), most=3, unit="grey levels"),
        Figure(f"{name}: detail of the skin kept", float(sharp), least=0.85, most=1.15),
        Figure(f"{name}: frames with one face", float(traced.mean()), least=0.95),
        Figure(f"{name}: seen lips follow the motion", correlation(seen[traced], wanted[traced]), least=0.8, unit="r"),
    ]


def _motion(actor: Actor, identity: PortraitIdentity, sound: Samples) -> FaceMotion:
    performance = PortraitPerformance(actor.model, actor.spec, actor.speech, identity, "", 1.0, SEED)
    hearing = actor.spec.hearing
    size = hearing.block_frames * hearing.frame
    parts: list[FaceMotion] = []
    for start in range(0, len(sound) - size - hearing.ahead, size):
        end = start + size
        block = SpeechBlock(None, sound[start:end], sound[end : end + hearing.ahead])
        parts.append(performance.motion(performance.imagine(block).latents))
    joined = zip(*(vars(part).values() for part in parts), strict=True)
    return FaceMotion(*(np.concatenate(values) for values in joined))


def _border(changed: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    inner = np.zeros(changed.shape[:2], bool)
    inner[EDGE:-EDGE, EDGE:-EDGE] = True
    return changed[~inner]


def _detail(picture: Pixels, identity: PortraitIdentity) -> float:
    """How much detail the forehead and the cheeks have, from pores to wrinkles; not the grain of single pixels."""
    fine = cv2.Laplacian(blurred(grey(picture), DETAIL), cv2.CV_32F)
    reach = max(4, round(0.07 * identity.pose.scale))
    patches = [
        fine[max(0, y - reach) : y + reach, max(0, x - reach) : x + reach]
        for x, y in np.round(identity.landmarks[[151, 50, 280], :2]).astype(int)
    ]
    return float(np.mean([patch.std() for patch in patches]))


def _traced_gap(frame: Pixels, finder: FaceFinder) -> float:
    """Opening of the lips that the landmark network sees, face heights; not a number where it sees no one face."""
    faces = finder.find(frame)
    if len(faces) != 1:
        return float("nan")
    points = faces[0].landmarks
    return float(lip_gap(points.astype(np.float64)) / fit_pose(points).scale)
