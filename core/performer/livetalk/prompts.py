"""The words that the video model is told: one scene, and one sentence for a manner."""

from __future__ import annotations

SCENE = (
    "A realistic video of one person who looks into the camera and talks. The lips follow the speech, the head moves "
    "a little, the eyes blink. The camera and the background stand still."
)
MANNERS = {
    "calm": "The person is calm and moves slowly.",
    "lively": "The person is lively, with expressive brows and many small movements of the head.",
    "smiling": "The person smiles warmly.",
    "serious": "The person is serious and composed.",
    "attentive": "The person is attentive and nods now and then.",
}
"""By the words that a style may be made of."""


def prompt_for(style: str) -> str:
    """The scene, in the manner of the first word of `style` that is known; other words say nothing.

    One manner at a time: every prompt is encoded ahead by an encoder of 11 GB that is not there while talking.
    """
    words = style.lower().replace(",", " ").split()
    manner = next((MANNERS[word] for word in words if word in MANNERS), "")
    return f"{SCENE} {manner}".strip()


def all_prompts() -> list[str]:
    """Every prompt that `prompt_for` can answer with, the plain scene first."""
    return [prompt_for(style) for style in ("", *MANNERS)]
