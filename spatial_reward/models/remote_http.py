"""Exchanges over HTTP that end by a deadline, however a server lets its reply drip."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpcore

LARGEST_REPLY = 64 * 2**20  # [bytes]
KEPT = 5.0  # [s] that a connection without a request is kept
_LOST = (httpcore.RemoteProtocolError, httpcore.ReadError, httpcore.WriteError)


class Reply(NamedTuple):
    """What a server has sent.

    Attributes:
        status: Of HTTP.
        headers: By name in lower case.
        body: All of it.
    """

    status: int
    headers: dict[str, str]
    body: bytes


class Connections:
    """Connections to one server, kept from one exchange to the next; several threads may share them.

    Args:
        url: Of the server.
    """

    def __init__(self, url: str) -> None:
        """Nothing is connected yet."""
        # Without https there is no certificate to verify, and loading those of others takes long.
        certificates = httpcore.default_ssl_context() if url.startswith("https") else None
        self._url = url
        self._pool = httpcore.ConnectionPool(
            ssl_context=certificates,
            max_connections=None,
            keepalive_expiry=KEPT,
            network_backend=_Backend(),
        )

    def exchange(
        self, method: str, path: str, headers: Mapping[str, str], message: bytes | None, deadline: float
    ) -> Reply:
        """Send a message and return the reply; a connection that turns out to be dead is replaced once.

        Args:
            method: Of HTTP.
            path: On the server.
            headers: Of the request.
            message: Its body.
            deadline: When all must be over, looking up the name and connecting included, by the clock of
                `time.monotonic` [s].

        Raises:
            TimeoutError: If it is not over by then.
            ConnectionError: If there is no connection, or it is lost twice.
            ValueError: If the reply is too long.
        """
        try:
            try:
                return self._exchange(method, path, headers, message, deadline)
            except _LOST:  # it was kept, to a server that has been started anew
                return self._exchange(method, path, headers, message, deadline)
        except (httpcore.TimeoutException, TimeoutError) as error:
            raise TimeoutError("no whole reply in time") from error
        except _LOST as error:
            raise ConnectionError(f"the connection was lost ({type(error).__name__})") from error
        except (httpcore.NetworkError, OSError) as error:
            raise ConnectionError(f"no connection ({error or type(error).__name__})") from error

    def close(self) -> None:
        """Close them."""
        self._pool.close()

    def _exchange(
        self, method: str, path: str, headers: Mapping[str, str], message: bytes | None, deadline: float
    ) -> Reply:
        # The pool hands times on unread; for `_Backend` they are moments, which no byte starts anew.
        moments = dict.fromkeys(("connect", "read", "write"), deadline)
        timed = {"host": urlsplit(self._url).netloc, "x-timeout": f"{_left(deadline):.3f}", **headers}
        request = self._pool.stream(
            method,
            self._url + path,
            headers=[*timed.items()],
            content=message,
            extensions={"timeout": moments},
        )
        with request as response:
            told = {name.decode("latin-1").lower(): text.decode("latin-1") for name, text in response.headers}
            return Reply(response.status, told, _whole(response.iter_stream()))


class _Stream(httpcore.NetworkStream):
    """A connection whose `timeout` are moments, by the clock of `time.monotonic` [s]."""

    def __init__(self, plain: httpcore.NetworkStream) -> None:
        self._plain = plain

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max_bytes, _left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        connection, rest = self._plain.get_extra_info("socket"), memoryview(buffer)
        try:
            while rest:
                connection.settimeout(_left(timeout))
                rest = rest[connection.send(rest) :]
        except TimeoutError as error:
            raise httpcore.WriteTimeout(str(error)) from error
        except OSError as error:  # the pool then reads why the server has hung up
            raise httpcore.WriteError(str(error)) from error

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Stream(self._plain.start_tls(ssl_context, server_hostname, _left(timeout)))

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)


class _Backend(httpcore.NetworkBackend):
    """Connects until a moment, by the clock of `time.monotonic` [s], which is the `timeout`."""

    def __init__(self) -> None:
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        addresses = _addresses(host, port, timeout)
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for number, address in enumerate(addresses):
            seconds = _left(timeout) / (len(addresses) - number)  # a silent one leaves time for the others
            try:
                connected = self._plain.connect_tcp(address, port, seconds, local_address, socket_options)
                return _Stream(connected)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def _addresses(host: str, port: int, deadline: float | None) -> Sequence[str]:
    """Look a name up in a thread of its own: the resolver knows no deadline."""
    found: Future[list[str]] = Future()

    def look() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result([str(address[0]) for *_, address in entries])
        except Exception as error:
            found.set_exception(error)

    threading.Thread(target=look, name="spatial-reward name", daemon=True).start()
    return found.result(_left(deadline))


def _left(deadline: float | None) -> float:
    left = (deadline or 0.0) - time.monotonic()
    if left <= 0:
        raise TimeoutError("the deadline has passed")
    return left


def _whole(chunks: Iterable[bytes]) -> bytes:
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > LARGEST_REPLY:
            raise ValueError(f"the reply is longer than {LARGEST_REPLY} bytes")
    return bytes(body)
