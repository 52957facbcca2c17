"""What the server counts, for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_QUESTIONS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The counters of one server.

    Attributes:
        requests: By route and status.
        seconds: From the first byte to the answer, by route [s].
        questions: Questions that came.
        expired: Requests whose deadline passed before the model was asked.
        waiting: Questions that wait now.
        streams: WebSocket connections that are open now.
        batch_questions: Questions that were answered together.
        batch_seconds: What the model needed for them [s].
    """

    def __init__(self) -> None:
        """Start from zero."""
        self._registry = registry = CollectorRegistry()
        name = "spatial_reward_"
        self.requests = Counter(f"{name}requests", "Requests.", ["route", "status"], registry=registry)
        self.seconds = Histogram(
            f"{name}request_seconds", "Time of a request.", ["route"], buckets=_SECONDS, registry=registry
        )
        self.questions = Counter(f"{name}questions", "Questions that came.", registry=registry)
        self.expired = Counter(f"{name}expired", "Requests too late for the model.", registry=registry)
        self.waiting = Gauge(f"{name}waiting_questions", "Questions that wait.", registry=registry)
        self.streams = Gauge(f"{name}streams", "Open WebSockets.", registry=registry)
        self.batch_questions = Histogram(
            f"{name}batch_questions", "Questions in a batch.", buckets=_QUESTIONS, registry=registry
        )
        self.batch_seconds = Histogram(
            f"{name}batch_seconds", "Time of a batch in the model.", buckets=_SECONDS, registry=registry
        )

    def text(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self._registry)
