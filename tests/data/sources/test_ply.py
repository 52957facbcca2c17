"""PLY files: the same vertices in any encoding, and a clear refusal of anything else."""

import re

import numpy as np
import pytest

from spatial_reward.data.sources.ply import read_vertices

POINTS = np.array([[0.5, -1, 2], [3, 4.25, -5], [1e3, 0, 0.125]])
COLOURED = "property uchar red\nproperty uchar green\n"


def header(
    kind="binary_little_endian", count=3, before="", after="", number="float", tail="element face 0\n"
):
    axes = "".join(f"property {number} {axis}\n" for axis in "xyz")
    text = (
        f"ply\nformat {kind} 1.0\ncomment made by hand\nelement vertex {count}\n{before}{axes}{after}{tail}"
    )
    return (text + "end_header\n").encode()


def table(order="<", kind="f4", padded=False):
    extra = [("red", "u1"), ("green", "u1")] if padded else []
    rows = np.zeros(3, [*extra, *((axis, order + kind) for axis in "xyz")])
    for axis, values in zip("xyz", POINTS.T, strict=True):
        rows[axis] = values
    return rows.tobytes()


@pytest.mark.parametrize(
    "data",
    [
        header() + table(),
        header() + table() + b"\3\0\0\0\0\1\0\0\0\2\0\0\0",
        header("binary_big_endian") + table(">"),
        header(number="double") + table(kind="f8"),
        header(number="float32", before=COLOURED, tail="") + table(padded=True),
        header().replace(b"\n", b"\r\n") + table(),
        header("ascii", before="property int id\n") + b"7 0.5 -1 2\n8 3 4.25 -5\r\n9 1e3 0 .125\n3 0 1 2\n",
        header("ascii", tail="element face 1\nproperty list uchar int vertex_indices\n")
        + b"0.5 -1 2\n3 4.25 -5\n1000 0 .125",
    ],
)
def test_all_encodings_read_alike(tmp_path, data):
    (tmp_path / "a.ply").write_bytes(data)
    vertices = read_vertices(tmp_path / "a.ply")
    assert vertices.dtype == np.float64
    assert np.array_equal(vertices, POINTS)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "Not a PLY file"),
        (b"solid mesh\nend_header\n", "Not a PLY file"),
        (header().replace(b"end_header", b"the_end"), "without an end of its header"),
        (header().removesuffix(b"\n"), "without an end of its header"),
        (b"ply\nend_header\n", "The format must be one of ascii"),
        (header("binary_middle_endian"), "The format must be one of ascii"),
        (header().replace(b"vertex", b"corner"), "must be the vertices, got 'element corner 3'"),
        (header(count=-3), "The number of vertices cannot be '-3'"),
        (header(count="many"), "cannot be 'many'"),
        (header(before="property list uchar int x\n"), "one number each, got 'property list uchar int x'"),
        (header(before="property half x\n"), "one number each, got 'property half x'"),
        (header(before="property float x\n"), "must have one x, y and z each, got x, x, y, z"),
        (header().replace(b"float z", b"float w"), "must have one x, y and z each, got x, y, w"),
        (header(count=0), "Expected finite vertices, got 0"),
        (header() + np.full(9, np.nan, "<f4").tobytes(), "Expected finite vertices, got 3"),
        (header("ascii") + b"1 2 3\n1 2\n1 2 3\n", "Each vertex must have 3 numbers"),
        (header("ascii") + b"1 2 3\n1 2 x\n1 2 3\n", "could not convert"),
    ],
)
def test_what_is_no_mesh_is_refused(tmp_path, data, words):
    (tmp_path / "a.ply").write_bytes(data)
    with pytest.raises(ValueError, match=re.escape(words)):
        read_vertices(tmp_path / "a.ply")


@pytest.mark.parametrize(
    "data",
    [
        header() + table()[:-1],
        header(count=10**11),
        header("ascii") + b"1 2 3\n",
        header("ascii", count=10**9),
    ],
)
def test_too_few_vertices_are_a_truncated_file(tmp_path, data):
    (tmp_path / "a.ply").write_bytes(data)
    with pytest.raises(EOFError, match="vertices"):
        read_vertices(tmp_path / "a.ply")


def test_no_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_vertices(tmp_path / "none.ply")
