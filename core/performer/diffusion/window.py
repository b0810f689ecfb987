"""Which blocks of the past a block looks at, and where they are kept: integers on the host."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """How much of the past stays: the first `sinks` blocks for ever, and the latest ones.

    `absolute` keeps positions counted from the beginning of the stream, as the released model does; otherwise they
    are counted inside the window, so that a stream has no end.

    `counts_itself` says how `blocks` is counted. The release counts the block being made, so 5 blocks with 3 sinks
    leave one finished block that rolls; the paper counts what lies before it, 3 sinks and 2 that roll.
    """

    blocks: int
    sinks: int
    block_frames: int
    absolute: bool = False
    counts_itself: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.sinks < self.blocks:
            raise ValueError(f"{self.sinks} sinks do not fit a window of {self.blocks} blocks and leave room to roll")

    @property
    def slots(self) -> int:
        """Blocks that are kept, the one being made among them."""
        return self.blocks if self.counts_itself else self.blocks + 1

    def slot(self, block: int) -> int:
        """Where the block is kept: sinks in their own slots, the rest in a ring."""
        if block < self.slots:
            return block
        return self.sinks + (block - self.sinks) % (self.slots - self.sinks)

    def visible(self, block: int) -> list[int]:
        """The blocks this one looks at, oldest first, itself last."""
        if block < self.slots:
            return list(range(block + 1))
        rolling = self.slots - self.sinks
        return [*range(self.sinks), *range(block - rolling + 1, block + 1)]
