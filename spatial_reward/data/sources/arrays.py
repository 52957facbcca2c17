"""Arrays from files of unknown origin: nothing in them is executed, whatever is wrong is a `BadScene`."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from spatial_reward.data.sources.base import BadScene

LARGEST = 8 * 2**30  # [bytes] of one array; more is taken for a decompression bomb
_HEADERS = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
_NAMED_BY_ARRAYS = {  # all that the pickle of an array of bytes objects names
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


def read_npz(path: Path, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Read those of the arrays called `names` that a .npz file holds.

    Plain arrays are read without pickle. An array of objects is read only where all objects are `bytes`
    (see `read_bytes_objects`).

    Raises:
        BadScene: "missing file" or "unreadable file".
    """
    if not path.is_file():
        raise BadScene("missing file", str(path))
    try:
        with zipfile.ZipFile(path) as archive:
            held = set(archive.namelist())
            return {name: _member(archive, f"{name}.npy") for name in names if f"{name}.npy" in held}
    except Exception as error:  # a broken file fails anywhere inside zipfile, zlib, numpy or pickle
        raise BadScene("unreadable file", f"{path}: {error!r}") from error


def read_npy(path: Path) -> NDArray[Any]:
    """Open a .npy file without pickle; its numbers stay on disk until they are used.

    Raises:
        BadScene: "unreadable file".
    """
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return array
    except Exception as error:  # as above
        raise BadScene("unreadable file", f"{path}: {error!r}") from error


def required(arrays: dict[str, NDArray[Any]], names: Sequence[str], path: Path) -> None:
    """Check that all `names` are there.

    Raises:
        BadScene: "missing arrays".
    """
    missing = [name for name in names if name not in arrays]
    if missing:
        raise BadScene("missing arrays", f"{path} lacks {', '.join(missing)}")


def numbers(array: NDArray[Any], shape: tuple[int | None, ...], name: str) -> NDArray[Any]:
    """Return the array where it holds real numbers in the given shape; None stands for any length.

    Raises:
        BadScene: "lengths disagree" where only the first axis has another length, else
            "wrong shape or type".
    """
    detail = f"{name} is {array.shape} {array.dtype}, expected {shape}"
    if array.ndim != len(shape) or array.dtype.kind not in "biuf":
        raise BadScene("wrong shape or type", detail)
    agrees = [wanted in (None, size) for wanted, size in zip(shape, array.shape, strict=True)]
    if not all(agrees):
        raise BadScene("wrong shape or type" if not all(agrees[1:]) else "lengths disagree", detail)
    return array


def read_bytes_objects(file: IO[bytes], count: int) -> NDArray[np.object_]:
    """Read the pickle of an array of `count` `bytes` objects, unable to make anything else.

    The few names that such a pickle refers to all stand for `_Inert`, which keeps its state and does
    nothing; every other name is refused. So no code outside this module runs, NumPy's included.

    Raises:
        pickle.UnpicklingError: If it refers to anything else, or the objects are not `bytes`.
    """
    loaded = _BytesOnly(file).load()
    state = loaded.state if isinstance(loaded, _Inert) else ()
    items = state[-1] if isinstance(state, tuple) and len(state) == 5 else None
    if not isinstance(items, list) or len(items) != count or {type(item) for item in items} - {bytes}:
        raise pickle.UnpicklingError(f"expected an array of {count} bytes objects")
    array = np.empty(count, object)
    array[:] = items
    return array


class _Inert:
    """Stands for whatever a pickle names: takes anything, keeps its state, does nothing."""

    def __init__(self, *_: object) -> None:
        self.state: object = ()

    def __setstate__(self, state: object) -> None:
        self.state = state


class _BytesOnly(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> type[_Inert]:
        if (module, name) in _NAMED_BY_ARRAYS:
            return _Inert
        raise pickle.UnpicklingError(f"{module}.{name} does not belong into an array of bytes objects")


def _member(archive: zipfile.ZipFile, name: str) -> NDArray[Any]:
    size = archive.getinfo(name).file_size
    if size > LARGEST:
        raise ValueError(f"{name} has {size} bytes, more than {LARGEST}")
    with archive.open(name) as file:
        shape, _, dtype = _HEADERS[npy.read_magic(file)](file)
        if dtype.kind == "O" and len(shape) == 1:
            return read_bytes_objects(file, shape[0])
    if prod(shape) * dtype.itemsize > size:
        raise ValueError(f"{name} is cut short: {size} bytes for {shape} {dtype}")
    with archive.open(name) as file:
        array: NDArray[Any] = npy.read_array(file, allow_pickle=False)
        return array
