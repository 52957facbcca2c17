"""Questions of many clients, answered in batches by one model in one thread."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from time import perf_counter

from spatial_reward.models.wire_arrays import WireError
from spatial_reward.server.metrics import Metrics
from spatial_reward.types import Answer, Model, Question


@dataclass(eq=False)
class Waiting:
    """Questions of one request, until they are answered."""

    questions: Sequence[Question]
    deadline: float  # [s] of the event loop's clock
    result: asyncio.Future[list[Answer]]


class Batcher:
    """Gathers what is asked at the same time and answers it together.

    Args:
        model: What answers; called by one thread, a batch at a time.
        metrics: Where batches are counted.
        batch: Questions that are asked together, at most; a larger request is asked alone.
        wait: What the first one waits for others [s].
        queue: Questions that may wait; more are refused.
    """

    def __init__(
        self, model: Model, metrics: Metrics, *, batch: int = 64, wait: float = 0.002, queue: int = 1024
    ) -> None:
        """Nothing waits yet."""
        self.model, self._metrics = model, metrics
        self._batch, self._wait, self._most = batch, wait, queue
        self._queue: asyncio.Queue[Waiting | None] = asyncio.Queue()
        self._held: Waiting | None = None  # did not fit into the batch before
        self.waiting = 0
        self._thread = ThreadPoolExecutor(1, "spatial-reward model")
        self._task: asyncio.Task[None] | None = None

    @property
    def healthy(self) -> bool:
        """Whether questions are being answered."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin to answer."""
        self._task = asyncio.create_task(self._work())

    async def stop(self) -> None:
        """Answer what waits, then end."""
        await self._queue.put(None)
        if self._task is not None:
            await self._task
        self._thread.shutdown()

    async def ask(self, questions: Sequence[Question], deadline: float) -> list[Answer]:
        """Return the answers.

        Args:
            questions: In order.
            deadline: When they are of no use any more, by the event loop's clock [s].

        Raises:
            WireError: With status 413 if they are too many ever to wait, 503 if too many wait already, 504 if
                the deadline passes.
            RuntimeError: If the model fails.
        """
        if not questions:
            return []
        if len(questions) > self._most:
            remedy = "send fewer at a time, or serve with a larger queue"
            raise WireError(
                f"{len(questions)} questions are more than the queue of {self._most}: {remedy}.", 413
            )
        if self.waiting + len(questions) > self._most:
            raise WireError(f"{self.waiting} questions wait already: ask again in a moment.", 503)
        waiting = Waiting(questions, deadline, asyncio.get_running_loop().create_future())
        self._count(len(questions))
        self._queue.put_nowait(waiting)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiting.result
        except TimeoutError as error:
            raise WireError("The deadline of the request has passed.", 504) from error

    async def _work(self) -> None:
        while True:
            first = self._held or await self._queue.get()
            self._held = None
            if first is None:
                return
            batch, more = await self._gather(first)
            await self._answer(batch)
            if not more:
                return

    async def _gather(self, first: Waiting) -> tuple[list[Waiting], bool]:
        """Return what is asked together, and whether there is more to come after."""
        batch, count = [first], len(first.questions)
        until = asyncio.get_running_loop().time() + self._wait
        while count < self._batch:
            try:
                async with asyncio.timeout_at(until):
                    following = await self._queue.get()
            except TimeoutError:
                break
            if following is None:
                return batch, False
            if count + len(following.questions) > self._batch:
                self._held = following
                break
            batch.append(following)
            count += len(following.questions)
        return batch, True

    async def _answer(self, batch: list[Waiting]) -> None:
        """Answer together; where that fails, halves by themselves, so that few suffer from others."""
        for one in batch:
            self._count(-len(one.questions))
        parts = deque([batch])
        while parts:
            alive = self._alive(parts.popleft())
            if not alive:
                continue
            try:
                await self._ask_model(alive)
            except Exception as error:
                parts.extend(_halves(alive, error))

    def _alive(self, batch: Sequence[Waiting]) -> list[Waiting]:
        """Return those whose deadline has not passed."""
        now = asyncio.get_running_loop().time()
        alive = [one for one in batch if one.deadline > now and not one.result.done()]
        self._metrics.expired.inc(len(batch) - len(alive))
        return alive

    async def _ask_model(self, batch: Sequence[Waiting]) -> None:
        questions = [question for one in batch for question in one.questions]
        begin = perf_counter()
        loop = asyncio.get_running_loop()
        answers = await loop.run_in_executor(self._thread, self.model.answer, questions)
        self._metrics.batch_seconds.observe(perf_counter() - begin)
        self._metrics.batch_questions.observe(len(questions))
        if len(answers) != len(questions):
            raise RuntimeError(f"{len(answers)} answers to {len(questions)} questions")
        rest = iter(answers)
        for one in batch:
            own = [next(rest) for _ in one.questions]
            if not one.result.done():
                one.result.set_result(own)

    def _count(self, change: int) -> None:
        self.waiting += change
        self._metrics.waiting.set(self.waiting)


def _halves(batch: list[Waiting], error: Exception) -> list[list[Waiting]]:
    """Return what is asked again after a failure; a request that was asked alone has failed by itself."""
    if len(batch) > 1:
        middle = len(batch) // 2
        return [batch[:middle], batch[middle:]]
    if not batch[0].result.done():
        batch[0].result.set_exception(RuntimeError(f"the model has failed: {error!r}"))
    return []
