"""What requests hold, read in a thread of its own: decoding takes long, and the event loop must go on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request

from spatial_reward.models.wire import BINARY, JSON, Blobs, Decoder, read_json, unpack
from spatial_reward.models.wire_arrays import Limits, WireError
from spatial_reward.server.guard import read_body

Read = TypeVar("Read")


class Reader:
    """Reads requests, one at a time.

    Args:
        limits: What one request may hold.
    """

    def __init__(self, limits: Limits) -> None:
        """Nothing is read yet."""
        self.limits, self.decoder = limits, Decoder(limits)
        self._thread = ThreadPoolExecutor(1, "spatial-reward reader")

    def stop(self) -> None:
        """End the thread."""
        self._thread.shutdown()

    async def http(
        self, request: Request, deadline: float, read: Callable[[dict[str, Any], Blobs], Read]
    ) -> Read:
        """Return what `read` makes of a request's header and blobs, binary or JSON.

        Args:
            request: Of a client.
            deadline: When it is of no use any more, by the event loop's clock [s].
            read: Runs in the thread.

        Raises:
            WireError: If the request is neither, or breaks a limit.
        """
        kind = request.headers.get("content-type", "").partition(";")[0].strip()
        if kind not in (BINARY, JSON, "application/octet-stream"):
            raise WireError(f"The content type must be {BINARY} or {JSON}, got {kind!r}.", 415)
        body, apart = await read_body(request, self.limits), _from_json if kind == JSON else unpack
        return await self.aside(deadline, lambda: read(*apart(body)))

    async def aside(self, deadline: float, work: Callable[[], Read]) -> Read:
        """Return the result of work that is done in the thread.

        Raises:
            WireError: With status 504 if the deadline passes.
        """
        try:
            async with asyncio.timeout_at(deadline):
                return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except TimeoutError as error:
            raise WireError("The deadline of the request has passed.", 504) from error


def _from_json(body: bytes) -> tuple[dict[str, Any], Blobs]:
    return read_json(body), ()
