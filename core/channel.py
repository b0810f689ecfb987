"""Channel: a bounded queue between two threads that can be closed and can drop what is stale."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Closed(Exception):
    """The channel was closed while, or before, somebody waited on it. `Worker` takes it as a normal end."""


class TimedOut(Exception):
    """Nothing arrived within the limit the caller gave."""


class Channel(Generic[T]):
    """Bounded hand-over of values. Any thread may put, offer, take, drop or close.

    Capacity counts what `weigh` says of each item (1 by default), so a channel can be bounded in samples.
    An item heavier than the whole capacity is let in when the channel is empty.
    """

    def __init__(self, capacity: int, weigh: Callable[[T], int] = lambda _: 1) -> None:
        self._items: deque[T] = deque()
        self._capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._closed = False
        self._changed = threading.Condition()
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """Items lost to `offer` on a full channel, since the beginning."""
        return self._dropped

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T, stale: Callable[[], bool] = lambda: False) -> bool:
        """Wait for room and append; False when `stale` became true, asked under the lock after the wait.

        Raises:
            Closed: the channel is closed.
        """
        weight = self._weigh(item)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or stale() or self._has_room(weight))
            if self._closed:
                raise Closed
            if stale():
                return False
            self._append(item, weight)
            return True

    def offer(self, item: T) -> None:
        """Append at once; when full, the oldest items that weigh something make room and are counted. Items without
        weight are never dropped. Silently nothing after close."""
        weight = self._weigh(item)
        with self._changed:
            if self._closed:
                return
            while weight and self._weight and not self._has_room(weight):
                self._drop_oldest()
            self._append(item, weight)

    def take(self, timeout_s: float | None = None) -> T:
        """The oldest item.

        Raises:
            Closed: the channel is closed and empty.
            TimedOut: `timeout_s` went by.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: bool(self._items) or self._closed, timeout_s):
                raise TimedOut
            if not self._items:
                raise Closed
            item = self._items.popleft()
            self._weight -= self._weigh(item)
            self._changed.notify_all()
            return item

    def drop(self, unwanted: Callable[[T], bool]) -> int:
        """Remove what `unwanted` is true of; returns how many. Waiters of `put` look again."""
        with self._changed:
            kept = [item for item in self._items if not unwanted(item)]
            gone = len(self._items) - len(kept)
            self._items = deque(kept)
            self._weight = sum(self._weigh(item) for item in kept)
            self._changed.notify_all()
            return gone

    def close(self) -> None:
        """Wake every waiter with `Closed`; items already inside may still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self, weight: int) -> bool:
        return not weight or not self._weight or self._weight + weight <= self._capacity

    def _drop_oldest(self) -> None:
        index = next(index for index, item in enumerate(self._items) if self._weigh(item))
        self._weight -= self._weigh(self._items[index])
        del self._items[index]
        self._dropped += 1

    def _append(self, item: T, weight: int) -> None:
        self._items.append(item)
        self._weight += weight
        self._changed.notify_all()
