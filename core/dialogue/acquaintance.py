"""Acquaintance: who answers at an endpoint, found out once, and what its refusals teach of the form it wants."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from core.dialogue.identify import identify
from core.dialogue.profile import without_refused

if TYPE_CHECKING:
    import openai

    from core.dialogue.client import Patience
    from core.dialogue.endpoint import Endpoint
    from core.dialogue.identify import Server
    from core.dialogue.trouble import Setback
    from core.dialogue.verdicts import Verdicts

log = logging.getLogger(__name__)


class Acquaintance:
    """`server` is who answers, None until it was found out. Lives on the loop."""

    def __init__(
        self, client: openai.AsyncOpenAI, endpoint: Endpoint, patience: Patience, verdicts: Verdicts | None
    ) -> None:
        self._client = client
        self._endpoint = endpoint
        self._patience = patience
        self._verdicts = verdicts
        self.server: Server | None = None

    @property
    def sends_voice(self) -> bool:
        """Whether the endpoint is asked for the voice that the person chose."""
        known = self.server is not None and self.server.profile.voice_field != "none"
        return known and bool(self._endpoint.voice)

    async def make(self) -> Server:
        """Find out who answers, unless it is known.

        Raises:
            Setback: it cannot be reached, the key cannot be one, or no model is known.
        """
        if self.server is None:
            self.server = await identify(self._client, self._endpoint, self._patience, self._verdicts)
        return self.server

    def learn(self, setback: Setback) -> bool:
        """Turn the switch that the refusal names, for this and all later turns; False when there is none to turn. Other
        conversations know of it unless the server broke down: that may have been the moment."""
        server = self.server
        if server is None or not setback.refusal:
            return False
        profile = without_refused(server.profile, setback.refusal, broke_down=setback.broke_down)
        if profile is None:
            if self._verdicts:
                self._verdicts.forget(self._endpoint)
            return False
        turned = sorted(profile.refused | profile.for_now)
        log.info("the endpoint wants another form of request: %s", ", ".join(turned))
        self.server = server.asked_as(profile)
        if self._verdicts and not setback.broke_down:
            self._verdicts.keep(self._endpoint, profile)
        return True
