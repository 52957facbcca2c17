"""Who may ask, how much at a time, and what is counted: around every route."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection
from time import perf_counter
from typing import Any
from urllib.parse import SplitResult, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from spatial_reward.models.wire_arrays import Limits, WireError
from spatial_reward.server.metrics import Metrics

OPEN = ("/health",)  # for whoever watches over the server
_NO_TOKEN = {"www-authenticate": "Bearer"}


class Guard:
    """Lets in who knows the token, and no foreign web page; counts requests by route and status.

    A page may come from another computer and still call itself by the server's address: its name, once known
    to be its own, is made to lead here. Without a token, only the names in `hosts` keep such a page out.

    Args:
        app: What is guarded.
        token: Without one, everybody may ask.
        metrics: Where requests are counted.
        hosts: Names by which the server may be asked; None allows all.
    """

    def __init__(
        self, app: ASGIApp, token: str | None, metrics: Metrics, hosts: Collection[str] | None = None
    ) -> None:
        """Keep what is needed."""
        self._app, self._token, self._metrics, self._hosts = app, token, metrics, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            return await self._app(scope, receive, send)
        begin, status = perf_counter(), [500]

        async def noted(message: Message) -> None:
            if "status" in message:
                status[0] = message["status"]
            elif message["type"] == "websocket.accept":
                status[0] = 101
            await send(message)

        try:
            await (self._refusal(scope) or self._app)(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(route, str(status[0])).inc()
            self._metrics.seconds.labels(route).observe(perf_counter() - begin)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        host, origin = headers.get("host", ""), headers.get("origin")
        if self._hosts is not None and _split(f"//{host}").hostname not in self._hosts:
            names = ", ".join(sorted(self._hosts))
            return JSONResponse({"error": f"No host {host!r}: ask for {names}, or serve with a token."}, 403)
        if origin is not None and _split(origin).netloc != (host or None):
            return JSONResponse({"error": "Requests from other web pages are refused."}, 403)
        if self._token is None or scope["path"] in OPEN:
            return None
        given = headers.get("authorization", "").removeprefix("Bearer ").encode()
        if hmac.compare_digest(given, self._token.encode()):
            return None
        return JSONResponse({"error": "The bearer token is missing or wrong."}, 401, _NO_TOKEN)


def _split(address: str) -> SplitResult:
    """Take an address apart; one that makes no sense has no parts."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


async def read_body(request: Request, limits: Limits) -> bytes:
    """Return the body of a request, read no further than is allowed.

    Raises:
        WireError: With status 413 if it is too long, 408 if it comes too slowly, 400 if it breaks off.
    """
    if int(request.headers.get("content-length") or 0) > limits.bytes:
        raise WireError(f"The body is longer than {limits.bytes} bytes.", 413)
    body = bytearray()
    try:
        async with asyncio.timeout(limits.seconds):
            async for chunk in request.stream():
                body += chunk
                if len(body) > limits.bytes:
                    raise WireError(f"The body is longer than {limits.bytes} bytes.", 413)
    except TimeoutError as error:
        raise WireError(f"The body took longer than {limits.seconds} s.", 408) from error
    except ClientDisconnect as error:
        raise WireError("The body breaks off.") from error
    return bytes(body)


def refused(error: WireError) -> Response:
    """Return the response that says why."""
    headers: dict[str, Any] = {}
    if error.status in (408, 413):
        headers["connection"] = "close"  # what has not been read will not be
    if error.status == 503:
        headers["retry-after"] = "1"
    return JSONResponse({"error": str(error)}, error.status, headers)
