"""Whose words a live server tells: it names the item, and may tell them when the next turn is under way already."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Tell = Callable[[str], Awaitable[object]]

_COMMITTED = "input_audio_buffer.committed"
_CREATED = {"conversation.item.created", "conversation.item.added"}
_TOLD = "conversation.item.input_audio_transcription.completed"
_FAILED = "conversation.item.input_audio_transcription.failed"
_MOST = 8
"""Turns whose words are waited for; there are servers that never tell any."""


@dataclass(eq=False)
class SpokenItem:
    """A spoken turn as an item of the server's conversation; `name` is empty until the server has told it, `tell` None
    where nobody wants to know the words."""

    tell: Tell | None
    name: str = ""


class SpokenItems:
    """The spoken turns of one connection whose words are not known yet, oldest first. Lives on the loop."""

    def __init__(self) -> None:
        self._items: list[SpokenItem] = []

    @property
    def awaited(self) -> bool:
        """Whether there are words that somebody wants to know."""
        return any(item.tell is not None for item in self._items)

    def begin(self, tell: Tell) -> SpokenItem:
        """A spoken turn is about to be committed."""
        del self._items[: -_MOST + 1]
        item = SpokenItem(tell)
        self._items.append(item)
        return item

    async def take(self, event: Mapping[str, Any]) -> None:
        """Learn from an event of any kind what the server calls its items, and hand words over to their turn."""
        kind, name = event.get("type"), str(event.get("item_id") or "")
        if kind == _COMMITTED:
            self._name(name)
        elif kind in _CREATED:
            self._name(_name_of_speech(event.get("item")))
        elif kind in (_TOLD, _FAILED):
            item = self._whose(name)
            words = str(event.get("transcript") or "").strip()
            if item is not None and item.tell is not None and words:
                await item.tell(words)

    def _name(self, name: str) -> None:
        nameless = (item for item in self._items if not item.name)
        if name and not any(item.name == name for item in self._items) and (first := next(nameless, None)):
            first.name = name

    def _whose(self, name: str) -> SpokenItem | None:
        """Take the turn out whose words these are; None where it can be more than one. That it was one of them is
        remembered: servers tell them in order."""
        named = next((item for item in self._items if name and item.name == name), None)
        possible = [named] if named else [item for item in self._items if not (name and item.name)]
        if possible:
            self._items.remove(possible[0])
        return possible[0] if len(possible) == 1 else None


def _name_of_speech(item: object) -> str:
    """The name of an item of the conversation, where it is something spoken by the person."""
    told = cast("dict[str, Any]", item) if isinstance(item, dict) else {}
    content = told.get("content")
    parts = cast("list[object]", content) if isinstance(content, list) else []
    kinds = [cast("dict[str, Any]", part).get("type") for part in parts if isinstance(part, dict)]
    return str(told.get("id") or "") if told.get("role") == "user" and "input_audio" in kinds else ""
