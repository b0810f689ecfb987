"""The denoising steps as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Schedule:
    """How much noise there is at each step, and what the network is told about it."""

    sigmas: tuple[float, ...]
    timesteps: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.sigmas) != len(self.timesteps) or self.sigmas[0] != 1.0:
            raise ValueError(f"a schedule starts from pure noise, one timestep a sigma: {self}")


def shifted_sigmas(steps: int, shift: float) -> list[float]:
    """`steps` equal steps from 1 down to (not including) 0, warped towards noise: s' = shift*s / (1 + (shift-1)*s)."""
    even = [1 - step / steps for step in range(steps)]
    return [shift * s / (1 + (shift - 1) * s) for s in even]


RELEASED = Schedule(tuple(shifted_sigmas(4, 5.0)), (1000.0, 936.0, 832.0, 624.0))
"""The released model's: exact sigmas, and the timesteps that its bf16 really feeds and that it was trained with."""
