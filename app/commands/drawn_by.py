"""What a person is told of the performer that a command really runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.settings import AvatarSettings

if TYPE_CHECKING:
    from core.performer.protocol import PerformerSpec


def about_picture(spec: PerformerSpec, avatar: AvatarSettings) -> list[str]:
    """How it is run, where there are several ways, and what of the settings it does not follow."""
    lines = [f"Drawn by {spec.name}, preset {spec.variant}"] if spec.variant else []
    if not spec.moves_as_told and avatar.motion_amount != AvatarSettings().motion_amount:
        lines.append(f"The amount of motion in your settings is not followed: {spec.name} decides it by itself.")
    return lines
