"""Words with which people take the floor from somebody who speaks: there is no need to hear the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.listening.finished import Words

SURE = 0.5
"""Less than for words in general: so few count here that chance seldom gives one."""
_CLAIM_TEXT = """
    stop wait no nope hold hang hey sorry excuse listen enough quiet pause please
    what why how who where when can could tell
"""
_CLAIMS = frozenset(_CLAIM_TEXT.split())


def claims_the_floor(words: Words) -> bool:
    """Whether `words`, the first of what somebody says into a reply, want it to stop: "no", "wait", "can you"."""
    first = re.match(r"\W*([a-z]+)", words.text.lower())
    return first is not None and first[1] in _CLAIMS and words.sure >= SURE
