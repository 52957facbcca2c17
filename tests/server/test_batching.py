import asyncio
import time

import pytest
from server_requests import question

from spatial_reward.models.wire_arrays import WireError
from spatial_reward.server.batching import Batcher
from spatial_reward.server.metrics import Metrics


class Echo:
    """Answers with the truth; fails where it is told to. Keeps how many it is asked at a time."""

    name, needs = "echo", frozenset()

    def __init__(self, seconds=0.0):
        self.seconds, self.batches = seconds, []

    def answer(self, questions):
        self.batches.append(len(questions))
        time.sleep(self.seconds)
        if any(one.prompt == "fail" for one in questions):
            raise FloatingPointError("told to fail")
        return [one.answer for one in questions]


def test_one_server_lets_a_batcher_end_cleanly():
    async def scenario():
        batcher = Batcher(Echo(), Metrics(), batch=3, wait=0.01, queue=10)
        assert not batcher.healthy
        batcher.start()
        until = asyncio.get_running_loop().time() + 5
        asked = [batcher.ask([question(n)] * (1 + n % 3), until) for n in range(5)]
        answers = await asyncio.gather(*asked)
        await batcher.stop()
        assert batcher.waiting == 0 and await batcher.ask([], until) == []
        return [[float(one.value[0]) for one in own] for own in answers]

    assert asyncio.run(scenario()) == [[n] * (1 + n % 3) for n in range(5)]


def answered(model, prompts, seconds):
    """Ask a question of each prompt, all together; return what comes of each."""

    async def scenario():
        batcher = Batcher(model, Metrics(), batch=len(prompts), wait=0.05, queue=len(prompts))
        batcher.start()
        until = asyncio.get_running_loop().time() + seconds
        asked = [batcher.ask([question(n, prompt=prompt)], until) for n, prompt in enumerate(prompts)]
        replies = await asyncio.gather(*asked, return_exceptions=True)
        await batcher.stop()
        return [reply if isinstance(reply, Exception) else float(reply[0].value[0]) for reply in replies]

    return asyncio.run(scenario())


@pytest.mark.parametrize("bad", [0, 7, 15])
def test_one_question_that_the_model_fails_on_is_found_by_halving(bad):
    model = Echo()
    replies = answered(model, ["fail" if n == bad else "" for n in range(16)], 30.0)
    assert isinstance(replies.pop(bad), RuntimeError) and replies == [n for n in range(16) if n != bad]
    assert len(model.batches) == 9 and model.batches[:3] == [16, 8, 8]


def test_after_a_failure_nobody_is_asked_about_whose_deadline_has_passed():
    model = Echo(0.4)
    replies = answered(model, ["fail", *[""] * 15], 0.3)
    assert model.batches == [16]
    assert all(isinstance(one, WireError) and one.status == 504 for one in replies)


def test_what_never_fits_into_the_queue_is_not_told_to_come_back():
    async def scenario():
        batcher = Batcher(Echo(), Metrics(), queue=4)
        with pytest.raises(WireError, match="5 questions are more than the queue of 4: send fewer") as caught:
            await batcher.ask([question()] * 5, 0.0)
        assert caught.value.status == 413

    asyncio.run(scenario())
