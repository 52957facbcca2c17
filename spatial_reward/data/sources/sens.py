"""The `.sens` files of ScanNet: one RGB-D recording as a stream of compressed pictures with poses."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from spatial_reward.camera import Array

VERSION = 4
PICTURE_FORMATS = {0: "raw", 1: "png", 2: "jpeg"}
DEPTH_FORMATS = {0: "raw_ushort", 1: "zlib_ushort", 2: "occi_ushort"}
# The file: version u4, length of the name u8, name, CALIBRATION, then per frame FRAME, picture, depth;
# then the number u8 of IMU frames and those. All little-endian, matrices row by row.
CALIBRATION = np.dtype(
    [
        ("picture_intrinsics", "<f4", (4, 4)),
        ("picture_extrinsics", "<f4", (4, 4)),
        ("depth_intrinsics", "<f4", (4, 4)),
        ("depth_extrinsics", "<f4", (4, 4)),
        ("picture_format", "<i4"),
        ("depth_format", "<i4"),
        ("picture_size", "<u4", (2,)),  # width, height [px]
        ("depth_size", "<u4", (2,)),
        ("depth_shift", "<f4"),  # units of depth per metre
        ("frames", "<u8"),
    ]
)
FRAME = np.dtype(
    [
        ("world_from_camera", "<f4", (4, 4)),  # -inf where tracking was lost
        ("picture_time", "<u8"),  # [us]
        ("depth_time", "<u8"),  # [us]
        ("picture_bytes", "<u8"),
        ("depth_bytes", "<u8"),
    ]
)
_LARGEST_SIDE = 1 << 13  # [px]; more is taken for a broken header


class SensFile:
    """A `.sens` file, version 4, read frame by frame.

    Opening it reads the header and the 96 bytes in front of each frame; pictures and depths stay on disk.
    No file is kept open, so that it can be handed to other processes.

    Attributes:
        sensor: Name of the device.
        picture_intrinsics: (4, 4) of the pictures [px], for pixel centres at whole numbers.
        picture_extrinsics: (4, 4), an identity in the released recordings.
        depth_intrinsics: (4, 4) of the depths [px].
        depth_extrinsics: (4, 4), likewise.
        picture_size: Width and height [px].
        depth_size: Width and height [px].
        picture_format: "jpeg" or "png".
        depth_format: "zlib_ushort" or "raw_ushort".
        depth_shift: Stored depth per metre.
        poses: (T, 4, 4) `world_from_camera` [m], not finite where tracking was lost.
        times: (T,) when the pictures were taken [s].

    Raises:
        FileNotFoundError: If there is no such file.
        EOFError: If it ends before its last frame does.
        ValueError: If it is no `.sens` file, or of a version or compression that is not supported.
    """

    def __init__(self, path: str | Path) -> None:
        """Read the header and find all frames."""
        self.path = Path(path)
        size = self.path.stat().st_size
        with self.path.open("rb", buffering=0) as file:
            self.sensor, header = _header(file, size)
            self._frames, self._offsets = _index(file, size, int(header["frames"]))
        self.picture_intrinsics = _doubles(header["picture_intrinsics"])
        self.picture_extrinsics = _doubles(header["picture_extrinsics"])
        self.depth_intrinsics = _doubles(header["depth_intrinsics"])
        self.depth_extrinsics = _doubles(header["depth_extrinsics"])
        self.picture_size = _size(header["picture_size"], "pictures")
        self.depth_size = _size(header["depth_size"], "depths")
        self.picture_format = _format(header["picture_format"], PICTURE_FORMATS, ("jpeg", "png"))
        self.depth_format = _format(header["depth_format"], DEPTH_FORMATS, ("zlib_ushort", "raw_ushort"))
        self.depth_shift = float(header["depth_shift"])
        if not 0 < self.depth_shift < np.inf:
            raise ValueError(f"The depth shift must be a positive number, got {self.depth_shift}.")
        self.poses = _doubles(self._frames["world_from_camera"])
        self.times: Array = self._frames["picture_time"] * 1e-6

    def __len__(self) -> int:
        """Count the frames."""
        return len(self._frames)

    def picture(self, frame: int) -> bytes:
        """Return the picture of a frame as it is stored, a JPEG or PNG file.

        Raises:
            EOFError: If the file has become shorter.
        """
        return self._read(self._offsets[frame], int(self._frames["picture_bytes"][frame]))

    def depth(self, frame: int) -> NDArray[np.uint16]:
        """Return the depth (H, W) of a frame, in units of 1 / `depth_shift` m; 0 where nothing was measured.

        Raises:
            EOFError: If the file has become shorter.
            ValueError: If it cannot be decompressed to the size of the header.
        """
        offset = self._offsets[frame] + int(self._frames["picture_bytes"][frame])
        data = self._read(offset, int(self._frames["depth_bytes"][frame]))
        width, height = self.depth_size
        wanted = 2 * width * height
        if self.depth_format == "zlib_ushort":
            data = _decompressed(data, wanted + 1)
        if len(data) != wanted:
            raise ValueError(f"The depth of frame {frame} has not the {wanted} bytes of {width} x {height}.")
        return np.frombuffer(data, "<u2").astype(np.uint16).reshape(height, width)

    def _read(self, offset: int, count: int) -> bytes:
        with self.path.open("rb") as file:
            file.seek(offset)
            return _exactly(file, count)


def _header(file: IO[bytes], size: int) -> tuple[str, Any]:
    """Read the name of the sensor and the CALIBRATION."""
    version = int.from_bytes(_exactly(file, 4), "little")
    if version != VERSION:
        raise ValueError(f"Not a .sens file of version {VERSION}: it starts with {version}.")
    length = int.from_bytes(_exactly(file, 8), "little")
    if length > size:
        raise EOFError(f"The name of the sensor should have {length} bytes, the whole file has {size}.")
    name = _exactly(file, length).decode("utf-8", "replace")
    return name, np.frombuffer(_exactly(file, CALIBRATION.itemsize), CALIBRATION)[0]


def _index(file: IO[bytes], size: int, count: int) -> tuple[NDArray[Any], list[int]]:
    """Read the FRAME of all frames and return where the data of each starts."""
    offset, offsets, heads = file.tell(), [], []
    if count * FRAME.itemsize > size - offset:
        raise EOFError(f"{count} frames are announced, but only {size - offset} bytes follow.")
    for number in range(count):
        file.seek(offset)
        head = np.frombuffer(_exactly(file, FRAME.itemsize), FRAME)
        offsets.append(offset + FRAME.itemsize)
        offset = offsets[-1] + int(head["picture_bytes"][0]) + int(head["depth_bytes"][0])
        if offset > size:
            raise EOFError(f"Frame {number} of {count} ends at byte {offset}, the file at {size}.")
        heads.append(head)
    return np.concatenate(heads) if heads else np.zeros(0, FRAME), offsets


def _exactly(file: IO[bytes], count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError(f"The file ends {count - len(data)} bytes too early.")
    return data


def _doubles(numbers: NDArray[np.float32]) -> Array:
    with np.errstate(invalid="ignore"):  # casting some NaN warns
        return numbers.astype(float)


def _size(size: NDArray[Any], of: str) -> tuple[int, int]:
    width, height = map(int, size)
    if not (0 < width <= _LARGEST_SIDE and 0 < height <= _LARGEST_SIDE):
        raise ValueError(f"The {of} cannot be {width} x {height} px.")
    return width, height


def _format(number: int, known: dict[int, str], supported: tuple[str, ...]) -> str:
    name = known.get(int(number), f"unknown ({number})")
    if name not in supported:
        raise ValueError(f"Compression {name} is not supported, only {' and '.join(supported)}.")
    return name


def _decompressed(data: bytes, most: int) -> bytes:
    """Decompress at most so many bytes, whatever the data would become."""
    try:
        return zlib.decompressobj().decompress(data, most)
    except zlib.error as error:
        raise ValueError(f"The depth cannot be decompressed: {error}.") from error
