"""The bricks of block-wise causal diffusion, shared by every performer."""
