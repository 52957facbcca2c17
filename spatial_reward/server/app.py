"""The routes of the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI, Request, WebSocket
from starlette.responses import JSONResponse, Response

from spatial_reward import __version__
from spatial_reward.models.wire import Blobs
from spatial_reward.models.wire_arrays import Limits, WireError
from spatial_reward.models.wire_values import answer_json, signal_json
from spatial_reward.questions import KINDS
from spatial_reward.server.batching import Batcher
from spatial_reward.server.guard import Guard, refused
from spatial_reward.server.judging import judge_all, with_scene
from spatial_reward.server.metrics import Metrics
from spatial_reward.server.reading import Reader
from spatial_reward.server.robometer import evaluate
from spatial_reward.server.streaming import stream
from spatial_reward.types import Answer, Frame, Model, Question, Signal


@dataclass(frozen=True)
class Settings:
    """How a server behaves.

    Attributes:
        batch: Questions that are asked together, at most.
        wait: What the first one waits for others [s].
        queue: Questions that may wait; more are refused with 503.
        limits: Of one request.
        token: Bearer token; None lets everybody ask.
        hosts: Names by which the server may be asked; None allows all.
        streams: WebSockets that may be open; more are closed with 1013.
        idle: Without a message, a stream is closed after this time [s].
        scene: `goal`, `references` and `camera` for episodes that bring none, of a camera that stands still.
    """

    batch: int = 64
    wait: float = 0.002
    queue: int = 1024
    limits: Limits = Limits()  # noqa: RUF009  # never changes
    token: str | None = None
    hosts: Collection[str] | None = None
    streams: int = 512
    idle: float = 300.0
    scene: Mapping[str, Any] = field(default_factory=dict)


class Service:
    """A model behind a batcher, and how its requests are read.

    Args:
        model: What answers.
        settings: How.
    """

    def __init__(self, model: Model, settings: Settings) -> None:
        """Nothing runs yet."""
        self.model, self.settings, self.metrics = model, settings, Metrics()
        self.batcher = Batcher(
            model, self.metrics, batch=settings.batch, wait=settings.wait, queue=settings.queue
        )
        self.reader, self.streams = Reader(settings.limits), 0

    def deadline(self, seconds: str | None = None) -> float:
        """Return when an answer is of no use any more, by the event loop's clock [s].

        Raises:
            WireError: If the client's wish is no time.
        """
        most = self.settings.limits.seconds
        try:
            wish = float(seconds) if seconds is not None else most
        except ValueError as error:
            raise WireError(f"x-timeout must be a number of seconds, got {seconds!r}.", 422) from error
        return asyncio.get_running_loop().time() + min(most, wish)

    async def ask(self, questions: Sequence[Question], deadline: float) -> list[Answer]:
        """Return the model's answers."""
        self.metrics.questions.inc(len(questions))
        return await self.batcher.ask(questions, deadline)

    async def judge(
        self, header: Mapping[str, Any], frames: Sequence[Frame], deadline: float
    ) -> list[Signal]:
        """Return the signals of an episode."""
        follows = bool(getattr(self.model, "follows", True))
        return await judge_all(header, frames, lambda asked: self.ask(asked, deadline), follows)

    def episode(self, header: Mapping[str, Any], blobs: Blobs) -> tuple[dict[str, Any], list[Frame]]:
        """Return header and frames of an episode; the scene of the settings stands in for what is missing."""
        known = with_scene(header, self.settings.scene)
        return known, self.reader.decoder.frames(known, blobs)

    def info(self) -> dict[str, Any]:
        """Describe the model and the limits."""
        return {
            "version": __version__,
            "model": self.model.name,
            "needs": sorted(self.model.needs),
            "uses": sorted(getattr(self.model, "uses", ())),
            "follows": bool(getattr(self.model, "follows", True)),
            "kinds": sorted(KINDS),
            "limits": self.settings.limits._asdict(),
            "batch": self.settings.batch,
            "queue": self.settings.queue,
            "streams": self.settings.streams,
        }


def create_app(model: Model, settings: Settings) -> Any:
    """Return the ASGI application that serves a model."""
    service = Service(model, settings)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        service.batcher.start()
        yield
        await service.batcher.stop()
        service.reader.stop()

    app = FastAPI(
        title="spatial-reward", version=__version__, lifespan=running, docs_url=None, redoc_url=None
    )
    _add_routes(app, service)
    app.add_exception_handler(WireError, _refuse)
    app.add_exception_handler(RuntimeError, _fail)
    return Guard(app, settings.token, service.metrics, settings.hosts)


def _add_routes(app: FastAPI, service: Service) -> None:
    @app.get("/health")
    async def health() -> Response:
        healthy = service.batcher.healthy
        return JSONResponse({"status": "healthy" if healthy else "failing"}, 200 if healthy else 503)

    @app.get("/v1/info")
    async def info() -> Response:
        return JSONResponse(service.info())

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/v1/measure")
    async def measure(request: Request) -> Response:
        deadline = service.deadline(request.headers.get("x-timeout"))
        questions = await service.reader.http(request, deadline, service.reader.decoder.questions)
        answers = await service.ask(questions, deadline)
        return JSONResponse({"answers": [answer_json(answer) for answer in answers]})

    @app.post("/v1/reward")
    async def reward(request: Request) -> Response:
        deadline = service.deadline(request.headers.get("x-timeout"))
        header, frames = await service.reader.http(request, deadline, service.episode)
        signals = await service.judge(header, frames, deadline)
        return JSONResponse({"signals": [signal_json(signal) for signal in signals]})

    @app.websocket("/v1/stream")
    async def streaming(socket: WebSocket) -> None:
        await stream(socket, service)

    @app.post("/evaluate_batch_npy")
    async def evaluate_batch_npy(request: Request) -> Response:
        return JSONResponse(await evaluate(request, service))


async def _refuse(_: Request, error: Exception) -> Response:
    return refused(error if isinstance(error, WireError) else WireError(str(error), 500))


async def _fail(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, 500)
