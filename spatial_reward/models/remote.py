"""The model of a `spatial-reward serve` somewhere else."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from spatial_reward._counted import CountedWarning
from spatial_reward._require import require
from spatial_reward.models.endpoint_http import is_loopback
from spatial_reward.models.wire import BINARY, Encoder, pack
from spatial_reward.models.wire_arrays import PictureFormat, encode_picture
from spatial_reward.models.wire_values import answer_from
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Question, uses_depth

if TYPE_CHECKING:
    import httpx

LARGEST_REPLY = 64 * 2**20  # [bytes]
FIRST_REST = 0.1  # [s] without asking after a failure; doubled for every further one
BUSY_WAIT = 0.02  # [s] before a full server is asked again
_PIXEL = np.zeros((1, 1, 3), np.uint8)
FRAMES, QUESTIONS = 128, 256  # in one request, where the server does not say


class RemoteModel:
    """Ask a server that runs `spatial-reward serve`; answers are those of its model.

    A server that is slow, full, restarting or dead makes answers unknown, with a counted warning, never an
    exception: a training goes on with held potentials, and with measurements again when the server is back.
    After a failure the server is left alone for a moment, so that a training does not wait at every step.

    Args:
        url: Of the server, such as "http://localhost:8080".
        timeout: Of one call of `answer` [s], all included; what is not answered by then is unknown.
        token_env: Environment variable that holds the server's token; unset: none is sent.
        picture_format: How pictures travel: "npy" (fast, exact), "png" (exact) or "jpeg" (small).
        needs: What the model must be given, where the server may be away at first; None asks the server.
        rest: Longest time without asking after failures [s]; the first one is a tenth of a second.
        insecure: Allows plain http to another computer.

    Attributes:
        answered: Questions that the server has answered.
        failed: Questions without an answer, because of the server.

    Raises:
        ValueError: If an argument makes no sense, or the server refuses the token.
        RuntimeError: If `needs` is None and the server does not tell.
        ImportError: If httpx is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 2.0,  # [s]
        token_env: str = "SPATIAL_REWARD_TOKEN",
        picture_format: PictureFormat = "npy",
        needs: Collection[str] | None = None,
        rest: float = 5.0,  # [s]
        insecure: bool = False,
    ) -> None:
        """Check the arguments, and ask the server who it is."""
        require("httpx", "endpoint", "asking a server")
        if not 0 < timeout < float("inf") or not 0 <= rest < float("inf"):
            raise ValueError(f"`timeout` and `rest` must be times above 0 s, got {timeout!r} and {rest!r}.")
        encode_picture(_PIXEL, picture_format)  # refuses an unknown format
        self.url, self.timeout, self._token_env = _checked(url, insecure), timeout, token_env
        self.rest, self._form = rest, picture_format
        self.answered = self.failed = 0
        self._failures, self._rests_until = 0, 0.0
        self._warning, self._made = CountedWarning(), threading.Lock()
        self._http: httpx.Client | None = None
        told = self._introduced() if needs is None else {}
        self.name = f"remote:{told.get('model', self.url)}"
        self.needs = frozenset(told.get("needs", needs or ()))
        self.uses = frozenset(told.get("uses", ()))
        self.follows = bool(told.get("follows", True))
        limits = told.get("limits", {})
        self._most = limits.get("frames", FRAMES), limits.get("questions", QUESTIONS)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask the server; the answers are in order, and unknown where it does not answer in time."""
        deadline, answers = time.monotonic() + self.timeout, []
        for part in _parts(questions, *self._most):
            answers += self._answer(part, deadline)
        return answers

    def close(self) -> None:
        """Close the connections; another call opens new ones."""
        if self._http is not None:
            self._http.close()
        self._http = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave the connections behind, when sent to another process."""
        return {**self.__dict__, "_http": None, "_made": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Begin without connections."""
        self.__dict__.update(state, _made=threading.Lock())

    def _answer(self, questions: Sequence[Question], deadline: float) -> list[Answer]:
        if time.monotonic() < self._rests_until:
            return self._unknown(questions, "the server has failed a moment ago")
        try:
            reply = self._post("/v1/measure", self._message(questions), deadline)
            answers = [answer_from(one) for one in reply["answers"]]
            known = [answer for answer in answers if answer is not None]
            if len(known) != len(questions):
                raise ValueError(f"{len(known)} answers to {len(questions)} questions")
        except Exception as error:
            return self._failed(questions, error)
        self._failures, self.answered = 0, self.answered + len(questions)
        return known

    def _message(self, questions: Sequence[Question]) -> bytes:
        encoder = Encoder(self._form, depth=uses_depth(self), truth="truth" in self.needs)
        told = [encoder.question(question) for question in questions]
        return pack({"frames": encoder.frames, "questions": told}, encoder.blobs)

    def _post(self, path: str, message: bytes, deadline: float) -> Any:
        """Return the reply to a message; a full server is asked again until the deadline."""
        lost = 0
        while True:
            try:
                status, body = self._exchange("POST", path, message, deadline)
            except _lost() as error:
                lost += 1  # a connection that was kept, to a server that has been started anew
                if lost > 1:
                    raise RuntimeError(f"the connection was lost ({type(error).__name__})") from error
                continue
            if status != 503 or time.monotonic() + BUSY_WAIT >= deadline:
                return _read(status, body)
            time.sleep(BUSY_WAIT)

    def _exchange(self, method: str, path: str, message: bytes | None, deadline: float) -> tuple[int, bytes]:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no reply within {self.timeout} s")
        headers = {"content-type": BINARY, "x-timeout": f"{left:.3f}", **self._authorization()}
        request = self._client().stream(
            method, self.url + path, content=message, headers=headers, timeout=left
        )
        with request as response:
            body = b""
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > LARGEST_REPLY:
                    raise ValueError("the reply is too long")
                if time.monotonic() > deadline:
                    raise TimeoutError(f"no whole reply within {self.timeout} s")
            return response.status_code, body

    def _client(self) -> httpx.Client:
        with self._made:
            if self._http is None:
                import httpx

                # Without https there is no certificate to verify, and loading those of others takes long.
                self._http = httpx.Client(trust_env=False, verify=self.url.startswith("https"))
            return self._http

    def _authorization(self) -> dict[str, str]:
        token = os.environ.get(self._token_env, "").strip()
        return {"authorization": f"Bearer {token}"} if token else {}

    def _introduced(self) -> dict[str, Any]:
        try:
            status, body = self._exchange("GET", "/v1/info", None, time.monotonic() + max(self.timeout, 5.0))
            told: dict[str, Any] = _read(status, body)
        except Exception as error:
            self.close()
            refused = isinstance(error, _Refused) and error.status == 401
            if refused:
                remedy = f"put its token into the environment variable {self._token_env}"
                raise ValueError(f"{self.url} refuses the token: {remedy}.") from error
            raise RuntimeError(
                f"{self.url} does not say what it is ({error or type(error).__name__}): start it with "
                "`spatial-reward serve`, or state `needs` to begin without it."
            ) from error
        return told

    def _failed(self, questions: Sequence[Question], error: Exception) -> list[Answer]:
        self._failures += 1
        rest = min(FIRST_REST * 2 ** min(self._failures - 1, 10), self.rest)
        self._rests_until = time.monotonic() + rest
        reason = f"{error}" or type(error).__name__
        self._warning.add(f"{self.url} gave no answers: {reason}; potentials are held meanwhile.")
        return self._unknown(questions, reason)

    def _unknown(self, questions: Sequence[Question], reason: str) -> list[Answer]:
        self.failed += len(questions)
        units = [KINDS[question.kind].unit if question.kind in KINDS else "1" for question in questions]
        return [Answer.unknown(reason, unit, self.name) for unit in units]


class _Refused(RuntimeError):
    """The server has answered, but not the questions."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"HTTP {status}: {reason}")
        self.status = status


def _read(status: int, body: bytes) -> Any:
    if status == 200:
        return json.loads(body)
    try:
        reason = str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        reason = body[:200].decode(errors="replace")
    raise _Refused(status, reason)


def _lost() -> tuple[type[Exception], ...]:
    import httpx

    return httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError


def _parts(questions: Sequence[Question], frames: int, most: int) -> Iterator[list[Question]]:
    """Cut questions into parts that a server takes in one request."""
    part: list[Question] = []
    seen: set[int] = set()
    for question in questions:
        more = seen | {id(frame) for frame in question.frames}
        if part and (len(more) > frames or len(part) >= most):
            yield part
            part, more = [], {id(frame) for frame in question.frames}
        part, seen = [*part, question], more
    if part:
        yield part


def _checked(url: str, insecure: bool) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or parts.query:
        shape = "http://localhost:8080 or https://host, without a name or key in it"
        raise ValueError(f"`url` must look like {shape}, got {url.rpartition('@')[2]!r}.")
    if parts.scheme == "http" and not insecure and not is_loopback(url):
        raise ValueError(
            f"Plain http would send pictures and token to {parts.hostname} in the clear: use https, "
            "a tunnel to localhost, or `insecure=True`."
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"
