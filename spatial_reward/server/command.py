"""The command `serve`: a model on a port, until it is told to stop."""

from __future__ import annotations

import json
import math
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spatial_reward._require import require
from spatial_reward.models import load_model
from spatial_reward.models.wire_arrays import Limits
from spatial_reward.models.wire_values import SENSELESS, camera_from, references_from

Config = Mapping[str, Any]
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_LAST_PORT = 65535
_WHOLE = (
    *("batch", "queue", "connections"),
    *("limits.bytes", "limits.frames", "limits.pixels", "limits.total_pixels", "limits.questions"),
)
_TIMES = ("header_timeout", "idle_timeout", "limits.seconds")
SCENE = {"goal", "references", "camera"}
KEYS = (
    *("model", "host", "port", "token_env", "insecure", "batch", "wait_ms", "queue", "limits"),
    *("header_timeout", "idle_timeout", "connections", "scene", "log_level"),
)


def run_serve(config: Config) -> None:
    """Serve the model that `conf/serve.yaml` describes, until SIGTERM or SIGINT; what waits is answered.

    Raises:
        ValueError: If a number is out of range, or others could ask without a token.
        OSError: If the port is taken.
        ImportError: If fastapi, uvicorn or prometheus-client is missing.
    """
    for package in ("fastapi", "uvicorn", "websockets", "prometheus_client", "python_multipart"):
        require(package, "serve", "serving")
    token = _check(config)
    import uvicorn

    from spatial_reward.server.app import create_app
    from spatial_reward.server.slow_clients import patient

    app = create_app(load_model(**config["model"]), _settings(config, token))
    listening = _listen(config["host"], config["port"])
    server = _server(
        uvicorn.Config(
            app,
            http=patient(config["header_timeout"]),
            ws="websockets-sansio",
            ws_max_size=config["limits"]["bytes"],
            limit_concurrency=config["connections"] + 1,  # uvicorn refuses the last one it counts
            timeout_graceful_shutdown=int(config["limits"]["seconds"]) + 1,
            log_level=config["log_level"],
            access_log=False,
            server_header=False,
        ),
        f"serving {config['model']['name']} on {_url(listening)}",
    )
    try:
        server.run(sockets=[listening])
    except KeyboardInterrupt:
        pass  # what was asked before has been answered
    finally:
        listening.close()


def _server(settings: Any, told: str) -> Any:
    """Return a server that says on standard output when it is ready."""
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(told, flush=True)

    return Server(settings)


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _check(config: Config) -> str | None:
    """Refuse what makes no sense; return the token."""
    missing = [key for key in KEYS if key not in config]
    if missing:
        raise ValueError(
            f"The configuration lacks {', '.join(missing)}: let its YAML start from `defaults: [serve]`."
        )
    _check_numbers(config)
    token = os.environ.get(config["token_env"] or "", "").strip() or None
    if config["host"] not in LOOPBACK and token is None and not config["insecure"]:
        raise ValueError(
            f"host={config['host']} lets other computers ask, without a token: set the environment variable "
            f"{config['token_env']}, or insecure=true where only friends can reach it."
        )
    return token


def _check_numbers(config: Config) -> None:
    limits = config["limits"]
    if not isinstance(limits, Mapping) or set(limits) != set(Limits._fields):
        raise ValueError(
            f"`limits` must be {', '.join(Limits._fields)}, got {limits!r}: set one by limits.bytes=1000000."
        )
    numbers = {**config, **{f"limits.{name}": value for name, value in limits.items()}}
    for names, kinds, words in ((_WHOLE, int, "whole number"), (_TIMES, int | float, "number")):
        for name in names:
            if not _is(numbers[name], kinds) or not 0 < numbers[name] < math.inf:
                raise ValueError(f"`{name}` must be a {words} above 0, got {numbers[name]!r}.")
    if not _is(config["wait_ms"], int | float) or not 0 <= config["wait_ms"] < math.inf:
        raise ValueError(f"`wait_ms` must be a number of at least 0 [ms], got {config['wait_ms']!r}.")
    if not _is(config["port"], int) or not 0 <= config["port"] <= _LAST_PORT:
        raise ValueError(
            f"`port` must lie between 0 (any free one) and {_LAST_PORT}, got {config['port']!r}."
        )
    if config["queue"] < limits["questions"]:
        raise ValueError(
            f"`queue` must hold the questions of one request, {limits['questions']}, got {config['queue']}: "
            "make it longer, or lower limits.questions."
        )


def _is(value: object, kinds: Any) -> bool:
    return isinstance(value, kinds) and not isinstance(value, bool)


def _settings(config: Config, token: str | None) -> Any:
    from spatial_reward.server.app import Settings

    return Settings(
        batch=config["batch"],
        wait=config["wait_ms"] / 1000,
        queue=config["queue"],
        limits=Limits(**config["limits"]),
        token=token,
        hosts=LOOPBACK if token is None and config["host"] in LOOPBACK else None,
        streams=config["connections"] // 2,
        idle=config["idle_timeout"],
        scene=_scene(config["scene"]),
    )


def _scene(path: str | None) -> dict[str, Any]:
    """Read the file of a scene."""
    if path is None:
        return {}
    try:
        scene = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"scene={path} cannot be read ({error}): give a JSON file.") from error
    if not isinstance(scene, dict) or not set(scene) <= SCENE:
        raise ValueError(f"scene={path} must be an object with some of {', '.join(sorted(SCENE))}.")
    try:
        if scene.get("camera") is not None:
            camera_from(scene["camera"])
        references_from(scene.get("references", {}))
    except SENSELESS as error:
        raise ValueError(f"scene={path} makes no sense ({error!r}): give it as a request would.") from error
    return scene


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise OSError(f"host={host} is no address of this computer ({error.strerror}).") from error
    # Only of sockets that name TCP does asyncio switch Nagle's delay off: 40 ms of each small answer.
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
    except OSError as error:
        listening.close()
        raise OSError(f"Cannot listen on {host}:{port} ({error.strerror}): take another port.") from error
    return listening
