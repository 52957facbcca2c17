"""HTTP connections that do not wait for ever for a client that sends its request drop by drop."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_SECONDS = 5.0  # [s] from a connection, or the first byte of a request, to the end of its headers
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class PatientProtocol(H11Protocol):
    """Answers 408 and hangs up where the headers of a request take too long."""

    header_seconds = HEADER_SECONDS
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Expect the headers of the first request."""
        super().connection_made(transport)
        self._expect()

    def data_received(self, data: bytes) -> None:
        """Take bytes; expect the rest of the headers where they are not complete."""
        super().data_received(data)
        if self.conn.their_state is not h11.IDLE:
            self._relax()
        elif self._watch is None and self.conn.trailing_data[0]:
            self._expect()

    def connection_lost(self, exc: Exception | None) -> None:
        """Expect nothing more."""
        self._relax()
        super().connection_lost(exc)

    def _expect(self) -> None:
        self._watch = self.loop.call_later(self.header_seconds, self._give_up)

    def _relax(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def _give_up(self) -> None:
        self._watch = None
        if not self.transport.is_closing() and self.conn.their_state is h11.IDLE:
            self.transport.write(_TOO_SLOW)
            self.transport.close()


def patient(seconds: float) -> type[H11Protocol]:
    """Return the protocol with another patience [s]."""
    return type("PatientProtocol", (PatientProtocol,), {"header_seconds": seconds})
