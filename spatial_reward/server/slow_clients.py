"""HTTP connections that do not wait for ever for a client that sends its request drop by drop.

Of a request that is answered before its body has come, such as one without a token, the rest is thrown away
for a while: a client that hurries still reads why, and may ask again.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# From a connection, or the first byte of a request, to the end of its headers; from an answer to the end of a
# body that nobody has waited for.
HEADER_SECONDS = 5.0  # [s]
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(H11Protocol):
    """Hangs up where a request takes too long; with status 408 if it is still without an answer."""

    header_seconds = HEADER_SECONDS
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Expect the headers of the first request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take bytes; expect the rest of what is not complete."""
        super().data_received(data)
        if self._complete():
            self._relax()
        else:
            self._expect()

    def on_response_complete(self) -> None:
        """Expect the end of a body that was answered before it has come."""
        super().on_response_complete()
        if self._is_late():
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._relax()
        super().connection_lost(exc)

    def _complete(self) -> bool:
        """Return whether the client need not send more: the headers are here, a route waits for the body."""
        return self.conn.their_state is not h11.IDLE and not self._is_late()

    def _is_late(self) -> bool:
        """Return whether a body is still coming although the request is answered."""
        cycle = self.cycle  # of the request before, once a WebSocket has taken over
        answered = cycle is not None and cycle.scope is self.scope and cycle.response_complete
        return answered and self.conn.their_state is h11.SEND_BODY

    def _expect(self) -> None:
        if self._watch is None:
            self._watch = self.loop.call_later(self.header_seconds, self._give_up)

    def _relax(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _give_up(self) -> None:
        self._watch = None
        if self.transport.is_closing() or self._complete():
            return
        if self.conn.their_state is h11.IDLE:
            self.transport.write(_TOO_SLOW)
        self.transport.close()


def patient(seconds: float) -> type[H11Protocol]:
    """Return the protocol with another patience [s]."""
    return type("PatientProtocol", (PatientProtocol,), {"header_seconds": seconds})
