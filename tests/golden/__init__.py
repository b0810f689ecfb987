"""Parity with the released model: cases for every file that its own code wrote, `python -m tests.golden DIR`."""
