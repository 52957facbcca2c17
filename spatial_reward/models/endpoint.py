"""Vision-language models behind any OpenAI-compatible server: vLLM, SGLang, `transformers serve`, clouds."""

from __future__ import annotations

import asyncio
import json
import math
import os
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from spatial_reward._require import require
from spatial_reward.models.answer_format import CHOICES
from spatial_reward.models.coordinates import family as family_of
from spatial_reward.models.coordinates import read
from spatial_reward.models.endpoint_http import Limits, NoReply, client, is_loopback, post
from spatial_reward.models.endpoint_reply import Reply, choice_probabilities, parse
from spatial_reward.models.endpoint_request import PictureFormat, RequestStyle, Structured
from spatial_reward.models.endpoint_usage import Usage
from spatial_reward.models.reply_cache import ReplyCache
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Question

if TYPE_CHECKING:
    import httpx

Result = TypeVar("Result")


class Endpoint:
    """Ask an OpenAI-compatible server; every question ends with an answer or a reason.

    Words are read as of any model (`Kind.read`), positions in the way of the model's family. A std is
    known for choices alone, where `logprobs` are asked for and given: the root mean square of the error,
    which is 0 if the choice is right and 1 if not.

    Args:
        url: Of the server, such as "http://localhost:8000/v1"; "/v1" is added to a bare host.
        model: Its name there.
        api_key_env: Environment variable that holds the key; it is sent to `url` alone. Unset: no key.
        concurrency: Requests at a time, in one call of `answer`.
        timeout: Of one attempt [s].
        deadline: Of a question, with all retries [s].
        retries: After time-outs, lost connections, and HTTP 408, 425, 429 and 5xx.
        cache: Folder in which complete replies are kept by the content of their requests: model, words,
            pictures, sampling. Empty it when another model goes by the same name.
        structured: Request field that holds the server to the form of an answer, where it offers that.
        logprobs: Whether to ask for the probabilities of choices.
        max_tokens: Of a reply; a reply that is cut off is no answer.
        temperature: 0 = the likeliest reply; None = the server's own.
        family: A key of `coordinates.FAMILIES`; None: by the model's name.
        prices: Of a million prompt tokens and a million completion tokens, for `usage.cost`.
        picture_format: "jpeg" is small, "png" exact.
        format_hint: Whether to state the form of the answer; models trained on these questions know it.
        insecure: Allows plain http to another computer.
        extra: Further fields of the request, such as {"seed": 0}; None takes a field out, such as
            {"max_tokens": None, "max_completion_tokens": 500}.

    Raises:
        ValueError: If an option makes no sense.
        ImportError: If httpx is not installed.
        OSError: If the cache cannot be written.
    """

    needs: frozenset[str] = frozenset()
    follows = False  # answers do not depend on `Question.previous`

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key_env: str = "OPENAI_API_KEY",
        concurrency: int = 8,
        timeout: float = 60.0,  # [s]
        deadline: float = 300.0,  # [s]
        retries: int = 4,
        cache: str | os.PathLike[str] | None = None,
        structured: Structured | None = None,
        logprobs: bool = False,
        max_tokens: int = 256,
        temperature: float | None = 0.0,
        family: str | None = None,
        prices: Sequence[float] | None = None,
        picture_format: PictureFormat = "jpeg",
        format_hint: bool = True,
        insecure: bool = False,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Check the options; nothing is sent yet."""
        require("httpx", "endpoint", "asking a server")
        self._url = _completions_url(url, insecure)
        self.name = f"endpoint:{model}"
        self.usage = Usage(prices=None if prices is None else tuple(prices))
        self._style = RequestStyle(
            model,
            family_of(model or "", family),
            max_tokens,
            temperature,
            structured,
            logprobs,
            format_hint,
            picture_format,
            extra or {},
        )
        self._limits = Limits(timeout, deadline, retries, concurrency)
        self._api_key_env = api_key_env
        self._cache = ReplyCache(cache) if cache else None

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask all questions, `concurrency` at a time; the answers are in their order."""
        self.usage.questions += len(questions)
        try:
            return _run(self._ask_all(questions))
        except Exception as error:
            return [self._unknown(question, error) for question in questions]

    def replies(self, questions: Sequence[Question]) -> list[str]:
        """Return the words of the replies, unread; of one that was cut off or filtered, what there is.

        Raises:
            RuntimeError: If the server gives no reply.
            ValueError: If a question is of an unknown kind, or lacks points.
        """
        self.usage.questions += len(questions)
        return _run(self._all_words(questions))

    async def _all_words(self, questions: Sequence[Question]) -> list[str]:
        gate = asyncio.Semaphore(self._limits.concurrency)
        async with client(self._url, self._key(), self._limits.concurrency) as connection:
            return await asyncio.gather(*(self._words(connection, gate, question) for question in questions))

    async def _words(self, connection: httpx.AsyncClient, gate: asyncio.Semaphore, question: Question) -> str:
        async with gate:
            body = self._style.body(question, self._style.prompt(question).prompt)
            return (await self._reply(connection, body, whole=False)).text

    async def _ask_all(self, questions: Sequence[Question]) -> list[Answer]:
        gate = asyncio.Semaphore(self._limits.concurrency)
        async with client(self._url, self._key(), self._limits.concurrency) as connection:
            return await asyncio.gather(*(self._ask(connection, gate, question) for question in questions))

    async def _ask(
        self, connection: httpx.AsyncClient, gate: asyncio.Semaphore, question: Question
    ) -> Answer:
        async with gate:
            try:
                prompt, space = self._style.prompt(question)
                reply = await self._reply(connection, self._style.body(question, prompt))
                answer = read(reply.text, question, self._style.family, space)
                return self._finished(answer, question, reply)
            except Exception as error:
                return self._unknown(question, error)

    async def _reply(
        self, connection: httpx.AsyncClient, body: Mapping[str, Any], whole: bool = True
    ) -> Reply:
        """Return the reply to a request, from the cache or the server; where `whole`, only a complete one.

        Raises:
            NoReply: If there is none.
        """
        content = json.dumps(body, sort_keys=True).encode()
        key = sha256(content).hexdigest()
        kept = self._kept(key)
        if kept is not None:
            return kept
        reply = await post(connection, self._url, content, self._limits, parse, self._count)
        self.usage.add(reply)
        if not whole and reply.finish in ("length", "content_filter"):
            return reply
        if reply.finish == "length":
            raise NoReply("the reply was cut off at the limit of its tokens: raise `max_tokens`")
        if reply.finish == "content_filter":
            raise NoReply("the server's content filter withheld the reply")
        if self._cache:
            self._cache.put(key, asdict(reply))
        return reply

    def _kept(self, key: str) -> Reply | None:
        kept = self._cache.get(key) if self._cache else None
        try:
            reply = None if kept is None else Reply(**kept)
        except TypeError:  # written by another version
            return None
        self.usage.cached += reply is not None
        return reply

    def _count(self) -> None:
        self.usage.requests += 1

    def _finished(self, answer: Answer, question: Question, reply: Reply) -> Answer:
        """Sign an answer, and state how sure the model was where its tokens tell."""
        if answer.value is None:
            self.usage.unread += 1
            text = f"The reply states no usable answer: {reply.text}"
            return replace(answer, text=text, source=self.name)
        chosen = answer.value
        if not isinstance(chosen, str) or not reply.tokens:
            return replace(answer, source=self.name)
        shares = choice_probabilities(reply.tokens, chosen, CHOICES[question.kind])
        std = math.nan if shares is None else math.sqrt(1 - shares[chosen])
        return replace(answer, std=std, source=self.name)

    def _unknown(self, question: Question, error: Exception) -> Answer:
        """Give the reason, without the key: servers quote it."""
        self.usage.failed += 1
        reason, key = f"{error}" or type(error).__name__, os.environ.get(self._api_key_env, "").strip()
        unit = KINDS[question.kind].unit if question.kind in KINDS else "1"
        return Answer.unknown(reason.replace(key, "***") if key else reason, unit, self.name)

    def _key(self) -> str | None:
        key = os.environ.get(self._api_key_env, "").strip()
        if not all("!" <= letter <= "~" for letter in key):
            raise ValueError(f"The environment variable {self._api_key_env} holds no key: set or unset it.")
        return key or None


def _run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run a coroutine to its end; in a thread of its own where an event loop runs already: notebooks."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def _completions_url(url: str, insecure: bool) -> str:
    """Return where chat completions are posted.

    >>> _completions_url("http://localhost:8000", insecure=False)
    'http://localhost:8000/v1/chat/completions'
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        shape = "https://host/v1 or http://localhost:8000/v1, without a name or key in it"
        raise ValueError(f"`url` must look like {shape}, got {url.rpartition('@')[2]!r}.")
    if parts.scheme == "http" and not insecure and not is_loopback(url):
        raise ValueError(
            f"Plain http would send pictures and key to {parts.hostname} in the clear: use https, "
            "a tunnel to localhost, or `insecure=True`."
        )
    path = parts.path.rstrip("/").removesuffix("/chat/completions") or "/v1"
    return f"{parts.scheme}://{parts.netloc}{path}/chat/completions"
