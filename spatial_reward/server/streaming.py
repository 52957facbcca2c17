"""One WebSocket for each environment: frames in, signals out, without sending the reference again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocket, WebSocketDisconnect

from spatial_reward.models.wire import read_json, unpack
from spatial_reward.models.wire_arrays import WireError
from spatial_reward.models.wire_values import signal_json
from spatial_reward.server.judging import JudgedEpisode
from spatial_reward.types import Answer, Frame, Question

if TYPE_CHECKING:
    from spatial_reward.server.app import Service

CLOSED, WRONG, TOO_BIG, FAILED, BUSY = 1001, 1007, 1009, 1011, 1013  # codes of WebSockets
_CODES = {413: TOO_BIG, 504: FAILED}  # by the status of a WireError
_PASSING = (503, 504)  # of this moment, not of the message


async def stream(socket: WebSocket, service: Service) -> None:
    """Serve one environment until it hangs up.

    Messages are as for HTTP, with one frame: {"type": "reset", "goal": ..., "references": ...} begins an
    episode, {"type": "step"} goes on. Replies are {"step": number, "signal": {...}}, in order; where the
    server is full or too late, the signal is unknown and "error" says why. What is not understood is answered
    with {"error": ...}, and the connection is closed. So is one more than may be open, with code 1013.
    """
    with suppress(WebSocketDisconnect):
        await socket.accept()
        if service.streams >= service.settings.streams:
            return await socket.close(BUSY, f"{service.streams} streams are open: try again later")
        _count(service, 1)
        try:
            await _Stream(socket, service).serve()
        finally:
            _count(service, -1)


def _count(service: Service, change: int) -> None:
    service.streams += change
    service.metrics.streams.set(service.streams)


class _Stream:
    def __init__(self, socket: WebSocket, service: Service) -> None:
        self._socket, self._service = socket, service
        self._episode: JudgedEpisode | None = None
        self._step = 0
        self._trouble = ""

    async def serve(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._service.settings.idle):
                    message = await self._socket.receive()
            except TimeoutError:
                return await self._socket.close(CLOSED, "idle")
            if message["type"] == "websocket.disconnect":
                return
            try:
                reply = await self._reply(message)
            except WireError as error:
                return await self._hang_up(error, _CODES.get(error.status, WRONG))
            except Exception as error:
                return await self._hang_up(error, FAILED)
            await self._socket.send_text(json.dumps(reply))

    async def _hang_up(self, error: Exception, code: int) -> None:
        await self._socket.send_text(json.dumps({"error": str(error)}))
        await self._socket.close(code)

    async def _reply(self, message: Mapping[str, Any]) -> dict[str, Any]:
        deadline = self._service.deadline()
        header, frames = await self._service.reader.aside(deadline, lambda: self._read(message))
        if len(frames) != 1 or header.get("type") not in ("reset", "step"):
            raise WireError('A message needs one frame and "type": "reset" or "step".', 422)
        if header["type"] == "reset":
            self._episode, self._step = JudgedEpisode(header, frames[0]), -1
        if self._episode is None:
            raise WireError('An episode begins with "type": "reset".', 422)
        self._step, self._trouble = self._step + 1, ""
        signal = await self._episode.judge(frames[0], lambda asked: self._ask(asked, deadline))
        trouble = {"error": self._trouble} if self._trouble else {}
        return {"step": self._step, "signal": signal_json(signal), **trouble}

    def _read(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], list[Frame]]:
        text, data = message.get("text"), message.get("bytes") or b""
        most = self._service.settings.limits.bytes
        if len(text or data) > most:
            raise WireError(f"The message is longer than {most} bytes.", 413)
        header, blobs = unpack(data) if text is None else (read_json(text.encode()), ())
        return self._service.episode(header, blobs)

    async def _ask(self, questions: Sequence[Question], deadline: float) -> list[Answer]:
        try:
            return await self._service.ask(questions, deadline)
        except WireError as error:
            if error.status not in _PASSING:
                raise
            self._trouble = str(error)
            return [Answer.unknown(self._trouble, "m") for _ in questions]
