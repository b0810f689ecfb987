"""Worker: a named thread that cannot die silently."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from typing import TYPE_CHECKING

from core.channel import Closed
from core.errors import LiveTalkError
from core.events import Crashed, Failed

if TYPE_CHECKING:
    from collections.abc import Callable

    from core.events import Emit

log = logging.getLogger(__name__)


class Worker:
    """Runs `run` on a thread of its own until it returns, raises `Closed`, or `stop` made it return.

    `stop` must make `run` end: it closes the channel the thread waits on. An expected `LiveTalkError` becomes
    `Failed`; anything else is logged with its traceback and becomes `Crashed`. Use as a context: leaving stops and
    joins.
    """

    def __init__(
        self, name: str, run: Callable[[], None], stop: Callable[[], None], emit: Emit, join_limit_s: float = 10.0
    ) -> None:
        self._name = name
        self._run = run
        self._stop = stop
        self._emit = emit
        self._join_limit_s = join_limit_s
        self._thread = threading.Thread(target=self._guarded, name=name)

    def __enter__(self) -> Worker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()
        self._thread.join(self._join_limit_s)
        if self._thread.is_alive():
            log.error("thread %s did not end within %.0f s:\n%s", self._name, self._join_limit_s, self._where())

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def _guarded(self) -> None:
        try:
            self._run()
        except Closed:
            pass
        except LiveTalkError as error:
            self._emit(Failed.of(error))
        except BaseException:
            report = traceback.format_exc()
            log.exception("thread %s stopped", self._name)
            self._emit(Crashed(self._name, report))

    def _where(self) -> str:
        # The documented way to see where another thread is, underscore and all.
        frame = sys._current_frames().get(self._thread.ident or 0)  # pyright: ignore[reportPrivateUsage]
        return "".join(traceback.format_stack(frame)) if frame else "no stack"
