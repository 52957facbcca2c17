"""One helpful error wherever an optional package is missing."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(module: str, extra: str, purpose: str = "this") -> ModuleType:
    """Import `module`, which the optional `extra` of this package installs.

    Args:
        module: Dotted name, such as "rerun" or "matplotlib.figure".
        extra: Name of the extra in pyproject.toml, such as "viz".
        purpose: What needs it, for the error: "recordings".

    Raises:
        ImportError: If it cannot be imported; says what to install.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        message = f'{package} is needed for {purpose}: pip install "spatial-reward[{extra}]"'
        raise ImportError(message, name=package) from error
