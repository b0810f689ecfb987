"""What every scripted server of the conformance suite says, and in pieces of which sizes."""

from __future__ import annotations

from tests.core.omni_server import tone

TEXT = "Hello there. How are you?"
WORDS = ("Hello", " there.", " How are", " you?")
SHORT, LONG = tone(0.02, seed=3), tone(4.3, seed=4)
SIZES = (1, 2, 3, 641, 15_360, 96_000)
"""Bytes in a fragment, up to two seconds. A file holds whole samples."""
