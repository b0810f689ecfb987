"""What beside PyTorch is installed that the model can use. Imports no torch."""

from __future__ import annotations

from importlib.util import find_spec

EIGHT_BIT_KERNEL = "sageattention"
"""The package with an attention kernel in eight bits."""


def eight_bit_kernel_is_here() -> bool:
    return find_spec(EIGHT_BIT_KERNEL) is not None
