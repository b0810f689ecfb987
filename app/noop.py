"""Marks words for translation where they stand in a table and are translated later."""

from __future__ import annotations


def QT_TRANSLATE_NOOP(context: str, words: str) -> str:  # the name that Qt's lupdate looks for
    """`words` as they are; translate them with `QCoreApplication.translate(context, words)`."""
    return words
