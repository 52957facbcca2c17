"""The model of a `spatial-reward serve` somewhere else."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np

from spatial_reward._counted import CountedWarning
from spatial_reward._require import require
from spatial_reward.models.endpoint_http import asked_wait, is_loopback
from spatial_reward.models.remote_parts import Takes, TooLarge
from spatial_reward.models.wire import BINARY, Encoder, pack
from spatial_reward.models.wire_arrays import PictureFormat, encode_picture
from spatial_reward.models.wire_values import answer_from
from spatial_reward.questions import KINDS
from spatial_reward.types import Answer, Question, uses_depth

if TYPE_CHECKING:
    from spatial_reward.models.remote_http import Connections, Reply

FIRST_REST = 0.1  # [s] without asking after a failure; doubled for every further one
BUSY_WAIT, LONGEST_BUSY_WAIT = 0.02, 0.1  # [s] most before a full server is asked again: at first, and later
SHARE = 0.5  # of the time-out that a part is expected to take
_PIXEL = np.zeros((1, 1, 3), np.uint8)

# Jitter keeps clients apart; a seed, which they may share, would make them meet again.
_JITTER = random.SystemRandom()


class RemoteModel:
    """Ask a server that runs `spatial-reward serve`; answers are those of its model.

    A server that is slow, full, restarting or dead makes answers unknown, with a counted warning, never an
    exception: a training goes on with held potentials, and with measurements again when the server is back.
    After a failure the server is left alone for a moment, so that a training does not wait at every step.

    Many questions are sent in parts, one after the other: each within the limits that the server states,
    and expected to take half of `timeout` by the pace of the one before; the first is a single question.
    The first part that fails makes the rest of the call unknown, so that no call waits for two time-outs.

    Args:
        url: Of the server, such as "http://localhost:8080".
        timeout: Of one part [s], from looking up the server to the last byte of its reply; what is not
            answered by then is unknown. The questions of a step are one part or few; an episode has many.
        token_env: Environment variable that holds the server's token; unset: none is sent.
        picture_format: How pictures travel: "npy" (fast, exact), "png" (exact) or "jpeg" (small).
        needs: What the model must be given, where the server may be away at first; None asks the server.
            The rest (`uses`, `follows`, limits) is asked for now if the server is there, else before the
            first question; environments that were made until then measure only the depth that is stated.
        rest: Longest time without asking after failures [s]; the first one is a tenth of a second.
        insecure: Allows plain http to another computer.

    Attributes:
        answered: Questions that the server has answered.
        failed: Questions without an answer, because of the server.

    Raises:
        ValueError: If an argument makes no sense, or the server refuses the token.
        RuntimeError: If `needs` is None and the server does not tell.
        ImportError: If httpcore is not installed.
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
        require("httpcore", "endpoint", "asking a server")
        if not 0 < timeout < float("inf") or not 0 <= rest < float("inf"):
            raise ValueError(f"`timeout` and `rest` must be times above 0 s, got {timeout!r} and {rest!r}.")
        encode_picture(_PIXEL, picture_format)  # refuses an unknown format
        self.url, self.timeout, self._token_env = _checked(url, insecure), timeout, token_env
        self.rest, self._form = rest, picture_format
        self.answered = self.failed = 0
        self._failures, self._rests_until = 0, 0.0
        self._warning, self._made = CountedWarning(), threading.Lock()
        self._http: Connections | None = None
        self.name, self.uses, self.follows = f"remote:{self.url}", frozenset[str](), True
        self._takes, self._introduced = Takes(), False
        self._pace: float | None = None  # [s] per question, of the last part
        if needs is None:
            needs = self._introduce().get("needs", ())
        else:
            with suppress(Exception):  # it may be away at first
                self._learn(time.monotonic() + timeout)
        self.needs = frozenset(needs)

    def answer(self, questions: Sequence[Question]) -> list[Answer]:
        """Ask the server; the answers are in order, and unknown where it does not answer in time."""
        answers: list[Answer] = []
        while rest := questions[len(answers) :]:
            answers += self._answer(rest, time.monotonic())
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

    def _answer(self, questions: Sequence[Question], begin: float) -> list[Answer]:
        """Return the answers to the first questions, as many as are sent together; to all, if that fails."""
        if begin < self._rests_until:
            return self._unknown(questions, "the server has failed a moment ago")
        part, deadline = questions[:1], begin + self.timeout
        try:
            if not self._introduced:
                self._learn(deadline)
            part, message = self._part(questions, self._takes)
            known = self._measured(part, message, deadline)
        except TooLarge as error:
            return self._held(part, f"{error}")
        except Exception as error:
            return self._failed(questions, error)
        self._pace = (time.monotonic() - begin) / len(part)
        self._failures, self.answered = 0, self.answered + len(known)
        return known

    def _part(self, questions: Sequence[Question], takes: Takes) -> tuple[Sequence[Question], bytes]:
        """Return the first questions that one request takes and that a time-out is expected to fit."""
        takes.check(questions[0], self._sent)
        seconds = SHARE * min(self.timeout, takes.seconds)
        fits = 1.0 if self._pace is None else seconds / max(self._pace, 1e-6)
        part = takes.first(questions, max(1, int(min(fits, takes.questions))), self._sent)
        while len(message := self._message(part)) > takes.bytes:
            if len(part) == 1:
                takes.check(part[0], self._sent, len(message))
            part = part[: len(part) // 2]  # what surrounds the pictures has its weight, too
        return part, message

    @property
    def _sent(self) -> list[str]:
        """Which arrays of a frame are sent."""
        told = {"rgb": True, "depth": uses_depth(self), "bodies": "truth" in self.needs}
        return [name for name, sent in told.items() if sent]

    def _message(self, questions: Sequence[Question]) -> bytes:
        encoder = Encoder(self._form, depth="depth" in self._sent, truth="bodies" in self._sent)
        told = [encoder.question(question) for question in questions]
        return pack({"frames": encoder.frames, "questions": told}, encoder.blobs)

    def _measured(self, part: Sequence[Question], message: bytes, deadline: float) -> list[Answer]:
        """Return the server's answers to a part; none if it must be cut into smaller ones."""
        try:
            reply = self._post("/v1/measure", message, deadline)
        except _Refused as error:
            if error.status != 413:
                raise
            if len(part) == 1:
                raise TooLarge(f"{error}") from error
            self._take_less(part, deadline)
            return []
        answers = [answer_from(one) for one in reply["answers"]]
        known = [answer for answer in answers if answer is not None]
        if len(known) != len(part):
            raise ValueError(f"{len(known)} answers to {len(part)} questions")
        return known

    def _take_less(self, part: Sequence[Question], deadline: float) -> None:
        """Ask for the limits anew; if they do not explain why a part was too large, halve what is sent."""
        self._learn(deadline)
        takes, most = self._takes, len(part)
        explained = most > takes.questions or len(takes.first(part, most, self._sent)) < most
        if not explained:
            # Something in between, such as a proxy, takes less than the server says.
            self._takes = takes._replace(questions=most // 2)

    def _learn(self, deadline: float) -> Any:
        """Ask the server who it is, what it takes and how its model works; return all that it says."""
        headers = self._authorization()
        info = _read(self._connections().exchange("GET", "/v1/info", headers, None, deadline))
        self._takes = Takes.told(info)
        self.name, self.uses = f"remote:{info['model']}", frozenset(map(str, info.get("uses", ())))
        self.follows, self._introduced = bool(info.get("follows", True)), True
        return info

    def _post(self, path: str, message: bytes, deadline: float) -> Any:
        """Return the reply to a message; a full server is asked again, ever more rarely, in time."""
        headers, tries = {"content-type": BINARY, **self._authorization()}, 0
        while True:
            reply = self._connections().exchange("POST", path, headers, message, deadline)
            pause = _pause(tries, reply) if reply.status == 503 else 0.0
            if not pause or time.monotonic() + pause >= deadline:
                return _read(reply)
            time.sleep(pause)
            tries += 1

    def _connections(self) -> Connections:
        with self._made:
            if self._http is None:
                from spatial_reward.models.remote_http import Connections

                self._http = Connections(self.url)
            return self._http

    def _authorization(self) -> dict[str, str]:
        token = os.environ.get(self._token_env, "").strip()
        return {"authorization": f"Bearer {token}"} if token else {}

    def _introduce(self) -> Any:
        """Return what the server says of itself; it must."""
        try:
            return self._learn(time.monotonic() + max(self.timeout, 5.0))
        except Exception as error:
            self.close()
            if isinstance(error, _Refused) and error.status == 401:
                remedy = f"put its token into the environment variable {self._token_env}"
                raise ValueError(f"{self.url} refuses the token: {remedy}.") from error
            raise RuntimeError(
                f"{self.url} does not say what it is ({error or type(error).__name__}): start it with "
                "`spatial-reward serve`, or state `needs` to begin without it."
            ) from error

    def _failed(self, questions: Sequence[Question], error: Exception) -> list[Answer]:
        self._failures, self._pace = self._failures + 1, None
        rest = max(FIRST_REST * 2 ** min(self._failures - 1, 10), getattr(error, "wait", 0.0))
        self._rests_until = time.monotonic() + min(rest, self.rest)
        return self._held(questions, f"{error}" or type(error).__name__)

    def _held(self, questions: Sequence[Question], reason: str) -> list[Answer]:
        self._warning.add(f"{self.url} gave no answers: {reason}; potentials are held meanwhile.")
        return self._unknown(questions, reason)

    def _unknown(self, questions: Sequence[Question], reason: str) -> list[Answer]:
        self.failed += len(questions)
        units = [KINDS[question.kind].unit if question.kind in KINDS else "1" for question in questions]
        return [Answer.unknown(reason, unit, self.name) for unit in units]


class _Refused(RuntimeError):
    """The server has answered, but not the questions; `wait` is what it asks to be left alone [s]."""

    def __init__(self, status: int, reason: str, wait: float) -> None:
        super().__init__(f"HTTP {status}: {reason}")
        self.status, self.wait = status, wait


def _read(reply: Reply) -> Any:
    if reply.status == 200:
        return json.loads(reply.body)
    try:
        reason = str(json.loads(reply.body)["error"])
    except (ValueError, KeyError, TypeError):
        reason = reply.body[:200].decode(errors="replace")
    raise _Refused(reply.status, reason, _asked(reply))


def _asked(reply: Reply) -> float:
    return asked_wait(reply.headers.get("retry-after", ""))


def _pause(tries: int, reply: Reply) -> float:
    """Draw how long a full server is left alone [s]: as it asks, and a little that keeps clients apart."""
    most = min(BUSY_WAIT * 2 ** min(tries, 10), LONGEST_BUSY_WAIT)
    return _asked(reply) + _JITTER.uniform(most / 2, most)


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
