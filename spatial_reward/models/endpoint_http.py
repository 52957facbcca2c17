"""Getting one JSON reply out of an HTTP server that may be slow, busy, broken or hostile."""

from __future__ import annotations

import asyncio
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from spatial_reward._require import require

if TYPE_CHECKING:
    import httpx

LARGEST_REPLY = 8 * 2**20  # [bytes]
BACKOFF = 0.5  # [s] most that is waited before the first retry; doubled for every further one
LONGEST_WAIT = 60.0  # [s] before any retry, even where the server asks for more
BUSY = (408, 425, 429)  # and 500 to 599: worth another try
Result = TypeVar("Result")

# Jitter keeps clients apart; a seed, which they may share, would make them meet again.
_JITTER = random.SystemRandom()


@dataclass(frozen=True)
class Limits:
    """What a request may cost.

    Attributes:
        timeout: Of one attempt, from connecting to the last byte [s].
        deadline: Of all attempts and the waiting between them [s].
        retries: Attempts after the first.
        concurrency: Requests at a time.

    Raises:
        ValueError: If one of them makes no sense.
    """

    timeout: float
    deadline: float
    retries: int
    concurrency: int

    def __post_init__(self) -> None:
        """Check the numbers."""
        for name, seconds in (("timeout", self.timeout), ("deadline", self.deadline)):
            if not 0 < seconds < math.inf:
                raise ValueError(f"`{name}` must be a time above 0 s, got {seconds!r}.")
        for name, count, least in (("retries", self.retries, 0), ("concurrency", self.concurrency, 1)):
            if not isinstance(count, int) or count < least:
                raise ValueError(f"`{name}` must be a whole number of at least {least}, got {count!r}.")


class NoReply(RuntimeError):
    """Why there is no usable reply.

    Attributes:
        passing: Whether another try may help.
        wait: How long the server asks to wait [s].
    """

    def __init__(self, reason: str, passing: bool = False, wait: float = 0.0) -> None:
        """Keep the reason in one line."""
        super().__init__(" ".join(reason.split()))
        self.passing = passing
        self.wait = wait


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this very computer.

    >>> is_loopback("http://127.0.0.1:8000/v1"), is_loopback("http://127.0.0.1.example.org/v1")
    (True, False)
    """
    host = urlsplit(url).hostname or ""
    parts = host.split(".")
    numeric = len(parts) == 4 and all(part.isdecimal() for part in parts)
    return host in ("localhost", "::1") or (numeric and parts[0] == "127")


def client(url: str, key: str | None, concurrency: int) -> httpx.AsyncClient:
    """Make a client for one server: it follows no redirects, and names its key to nobody else."""
    require("httpx", "endpoint", "asking a server")
    import httpx

    headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
    return httpx.AsyncClient(
        headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
        timeout=None,  # `Limits` bound whole attempts instead
        follow_redirects=False,
        limits=httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
        verify=url.startswith("https"),  # without TLS there are no certificates to load
        trust_env=not is_loopback(url),  # a proxy does not know this computer as we do
    )


async def post(
    connection: httpx.AsyncClient,
    url: str,
    body: bytes,
    limits: Limits,
    parse: Callable[[Any], Result],
    count: Callable[[], None],
) -> Result:
    """Post a JSON body and return the parsed reply, trying again where that may help.

    Args:
        connection: From `client`.
        url: Where to.
        body: JSON.
        limits: Of time and attempts.
        parse: Turns the reply's JSON into what is returned, or raises NoReply.
        count: Called before every attempt.

    Raises:
        NoReply: If there is none in time, or the server refuses.
    """
    clock = asyncio.get_running_loop().time
    end = clock() + limits.deadline
    for attempt in range(limits.retries + 1):
        count()
        try:
            return parse(await _attempt(connection, url, body, min(limits.timeout, end - clock())))
        except NoReply as error:
            failure = error
        pause = _pause(attempt, failure.wait)
        if not failure.passing or attempt == limits.retries or clock() + pause >= end:
            tries = f" ({attempt + 1} attempts)" if attempt else ""
            raise NoReply(f"{failure}{tries}")
        await asyncio.sleep(pause)
    raise NoReply("no attempt was made")


async def _attempt(connection: httpx.AsyncClient, url: str, body: bytes, seconds: float) -> Any:
    import httpx

    try:
        async with asyncio.timeout(seconds):
            return await _exchange(connection, url, body)
    except TimeoutError:
        raise NoReply(f"no reply within {seconds:.3g} s", passing=True) from None
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise NoReply(f"no connection, or a lost one: {reason}", passing=True) from error


async def _exchange(connection: httpx.AsyncClient, url: str, body: bytes) -> Any:
    async with connection.stream("POST", url, content=body) as response:
        if response.is_redirect:
            target = urlsplit(response.headers.get("Location", "")).hostname or "itself"
            raise NoReply(f"HTTP {response.status_code}: redirected to {target}, which is not followed")
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > LARGEST_REPLY:
                raise NoReply(f"the reply is larger than {LARGEST_REPLY / 2**20:.3g} MiB")
    return _decoded(response, bytes(content))


def _decoded(response: httpx.Response, content: bytes) -> Any:
    status = response.status_code
    if status != 200:
        wait = asked_wait(response.headers.get("Retry-After", ""))
        raise NoReply(f"HTTP {status}: {_complaint(content)}", status in BUSY or status >= 500, wait)
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise NoReply("the reply is not JSON, or cut off", passing=True) from None


def _complaint(content: bytes) -> str:
    """Return the server's own words about an error, shortened."""
    try:
        message = json.loads(content)
        for key in ("error", "message", "detail"):  # OpenAI nests them, others do not
            message = message.get(key, message) if isinstance(message, dict) else message
    except (ValueError, RecursionError):
        message = content[:1000].decode(errors="replace")
    return str(message)[:300]


def asked_wait(header: str) -> float:
    """Read a Retry-After header, in seconds or as a date; 0 where it says nothing [s].

    >>> asked_wait("7"), asked_wait("Wed, 21 Oct 2015 07:28:00 GMT"), asked_wait("soon")
    (7.0, 0.0, 0.0)
    """
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
        return max(0.0, (until - datetime.now(until.tzinfo or UTC)).total_seconds()) if until.tzinfo else 0.0
    except ValueError:
        return 0.0


def _pause(attempt: int, asked: float) -> float:
    """Draw how long to wait: full jitter under an exponential limit, and at least what was asked [s]."""
    drawn = _JITTER.uniform(0, min(LONGEST_WAIT, BACKOFF * 2**attempt))
    return min(LONGEST_WAIT, max(asked, drawn))
