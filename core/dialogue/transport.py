"""Transport: how turns travel to an endpoint, whatever the road."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from core.dialogue.delivery import Delivery
    from core.dialogue.exchange import Waiting
    from core.dialogue.identify import Server
    from core.dialogue.protocol import Verdict
    from core.dialogue.request import Question
    from core.media import AudioChunk


class Transport(Protocol):
    """Carries one turn at a time. Lives on the loop; a cancelled `attempt` leaves no connection open."""

    @property
    def ready(self) -> bool:
        """Whether there is a connection, or one is made when it is needed."""
        ...

    async def warm(self, server: Server) -> None:
        """Have a connection ready.

        Raises:
            Setback: the endpoint is not ready.
        """
        ...

    def listen(self, server: Server, speech: AudioChunk) -> None:
        """The person has paused: what they said so far may be sent ahead."""
        ...

    async def attempt(self, server: Server, question: Question, waiting: Waiting, delivery: Delivery) -> Verdict:
        """Ask once and deliver the whole reply.

        Raises:
            Setback: the attempt failed.
        """
        ...

    async def close(self) -> None: ...
