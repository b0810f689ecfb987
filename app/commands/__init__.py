"""The commands of `livetalk`: the same product without a window."""
