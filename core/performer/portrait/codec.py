"""The motion codec: curves of a face to latents and back.

Two small causal codecs share one latent of 16 channels on a 2x2 plane: 12 channels carry the face (lips, brows,
cheeks), 4 the carriage (head, lids, gaze). Each latent frame stands for four video frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

LIP_CURVES = ("jaw", "funnel", "pucker", "wide", "close", "low", "up", "roll")
FACE_CURVES = (*LIP_CURVES, "smile", "frown", "brow_inner", "brow_outer", "brow_down", "squint")
CARRIAGE_CURVES = ("yaw", "pitch", "roll_angle", "x", "y", "log_scale", "lid_right", "lid_left", "gaze_x", "gaze_y")
CURVES = (*FACE_CURVES, *CARRIAGE_CURVES)
FACE_CHANNELS = 12
LATENT = (16, 2, 2)
FRAMES = 4
"""Video frames that one latent frame stands for."""
_PLANE = LATENT[1] * LATENT[2]


class CurveCodec(nn.Module):
    """A causal autoencoder of some curves: 4 frames to `width` numbers, seen with the two latents before.

    Curves go in and come out in their own units; inside they have unit variance.
    """

    PAST = 2
    mean: Tensor
    std: Tensor

    def __init__(self, curves: int, width: int, hidden: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv1d(FRAMES * curves, hidden, 1 + self.PAST), nn.GELU(), nn.Conv1d(hidden, 2 * width, 1)
        )
        self.decoder = nn.Sequential(
            nn.Conv1d(width, hidden, 1 + self.PAST), nn.GELU(), nn.Conv1d(hidden, FRAMES * curves, 1)
        )
        self.direct = nn.Conv1d(width, FRAMES * curves, 1)
        self.register_buffer("mean", torch.zeros(curves))
        self.register_buffer("std", torch.ones(curves))

    def encode(self, curves: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, 4 * t, curves] -> mean and log variance, each [batch, t, width]; frame 0 lasted for ever."""
        packed = ((curves - self.mean) / self.std).unflatten(1, (-1, FRAMES)).flatten(2).transpose(1, 2)
        mean, log_variance = self.encoder(F.pad(packed, (self.PAST, 0), mode="replicate")).chunk(2, 1)
        return mean.transpose(1, 2), log_variance.transpose(1, 2)

    def decode(self, latents: Tensor) -> Tensor:
        """[batch, PAST + t, width] -> [batch, 4 * t, curves]; the first PAST latents are only looked at."""
        x = latents.transpose(1, 2)
        y = self.decoder(x) + self.direct(x[..., self.PAST :])
        y = y.transpose(1, 2).unflatten(-1, (FRAMES, -1)).flatten(1, 2)
        return y * self.std + self.mean


class MotionCodec(nn.Module):
    """Both codecs, the scale of the latents, and the basis that turns face curves into mesh displacements."""

    latent_mean: Tensor
    latent_std: Tensor

    def __init__(self, hidden: int, vertices: int = 468) -> None:
        super().__init__()
        self.face = CurveCodec(len(FACE_CURVES), FACE_CHANNELS * _PLANE, hidden)
        self.carriage = CurveCodec(len(CARRIAGE_CURVES), (LATENT[0] - FACE_CHANNELS) * _PLANE, hidden // 2)
        self.basis = nn.Parameter(torch.zeros(len(FACE_CURVES), vertices, 3), requires_grad=False)
        self.register_buffer("latent_mean", torch.zeros(LATENT[0] * _PLANE))
        self.register_buffer("latent_std", torch.ones(LATENT[0] * _PLANE))

    def encode(self, curves: Tensor) -> Tensor:
        """[batch, 4 * t, CURVES] -> [batch, t, 16, 2, 2], unit variance."""
        face, carriage = curves.split((len(FACE_CURVES), len(CARRIAGE_CURVES)), -1)
        flat = torch.cat((self.face.encode(face)[0], self.carriage.encode(carriage)[0]), -1)
        return ((flat - self.latent_mean) / self.latent_std).unflatten(-1, LATENT)

    def decode(self, latents: Tensor) -> Tensor:
        """[batch, PAST + t, 16, 2, 2] -> [batch, 4 * t, CURVES]."""
        flat = latents.flatten(2) * self.latent_std + self.latent_mean
        face, carriage = flat.split((FACE_CHANNELS * _PLANE, (LATENT[0] - FACE_CHANNELS) * _PLANE), -1)
        return torch.cat((self.face.decode(face), self.carriage.decode(carriage)), -1)


@dataclass(frozen=True, eq=False)
class DecoderState:
    """The latents that the decoder looks back at, [1, PAST, 16, 2, 2]. Replaced, never written."""

    past: Tensor

    @staticmethod
    def resting(reference: Tensor) -> DecoderState:
        """Before the stream there was rest: `reference` [1, 16, 2, 2] in every frame."""
        return DecoderState(reference[:, None].expand(-1, CurveCodec.PAST, -1, -1, -1))

    def decode(self, codec: MotionCodec, latents: Tensor) -> tuple[DecoderState, Tensor]:
        """The state after these latents [1, t, 16, 2, 2], and their curves [4 * t, CURVES]."""
        seen = torch.cat((self.past, latents), 1)
        return DecoderState(seen[:, -CurveCodec.PAST :]), codec.decode(seen)[0]
