"""The tests on a GPU end with what they have proved."""

from tests.gpu.proved import pytest_terminal_summary

__all__ = ["pytest_terminal_summary"]
