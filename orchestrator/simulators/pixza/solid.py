"""Builds a cube as binary glTF, with a picture on each of its sides."""

import struct
from collections.abc import Sequence
from typing import Any, Final

import orjson

_FACES: Final = (
    ((1, 0, 0), (0, 0, -1), (0, 1, 0)),
    ((-1, 0, 0), (0, 0, 1), (0, 1, 0)),
    ((0, 1, 0), (1, 0, 0), (0, 0, -1)),
    ((0, -1, 0), (1, 0, 0), (0, 0, 1)),
    ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    ((0, 0, -1), (-1, 0, 0), (0, 1, 0)),
)
"""Of each side: where it looks, where its right is, and where it is up."""

_CORNERS: Final = ((-1, -1), (1, -1), (1, 1), (-1, 1))
_TEXTURE: Final = ((0.0, 1.0), (1.0, 1.0), (1.0, 0.0), (0.0, 0.0))
_FLOAT, _SHORT = 5126, 5123


def cube(jpeg: bytes) -> bytes:
    """Return a cube of two metres with *jpeg* on every side. Source: glTF 2.0, chapters 3 and 4."""
    corners = [
        tuple(0.0 + n + right * across + up * above for n, right, up in zip(*face, strict=True))
        for face in _FACES
        for across, above in _CORNERS
    ]
    normals = [normal for normal, _, _ in _FACES for _ in _CORNERS]
    triangles = [4 * side + corner for side in range(len(_FACES)) for corner in (0, 1, 2, 0, 2, 3)]
    parts = [
        _packed("f", corners),
        _packed("f", normals),
        _packed("f", _TEXTURE * len(_FACES)),
        _packed("H", [triangles]),
        jpeg,
    ]
    document = orjson.dumps(_document(parts, len(corners), len(triangles)))
    return _file(document, b"".join(_filled(part) for part in parts))


def _document(parts: Sequence[bytes], corners: int, indices: int) -> dict[str, Any]:
    views, begin = [], 0
    for part in parts:
        views.append({"buffer": 0, "byteOffset": begin, "byteLength": len(part)})
        begin += len(_filled(part))
    points = {"componentType": _FLOAT, "count": corners}
    primitive = {
        "attributes": {"POSITION": 0, "NORMAL": 1, "TEXCOORD_0": 2},
        "indices": 3,
        "material": 0,
    }
    return {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "materials": [{"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "metallicFactor": 0}}],
        "textures": [{"source": 0}],
        "images": [{"bufferView": 4, "mimeType": "image/jpeg"}],
        "accessors": [
            {"bufferView": 0, **points, "type": "VEC3", "min": [-1, -1, -1], "max": [1, 1, 1]},
            {"bufferView": 1, **points, "type": "VEC3"},
            {"bufferView": 2, **points, "type": "VEC2"},
            {"bufferView": 3, "componentType": _SHORT, "count": indices, "type": "SCALAR"},
        ],
        "bufferViews": views,
        "buffers": [{"byteLength": begin}],
    }


def _packed(kind: str, rows: Sequence[Sequence[float]]) -> bytes:
    return b"".join(struct.pack(f"<{len(row)}{kind}", *row) for row in rows)


def _filled(part: bytes, with_: bytes = b"\0") -> bytes:
    return part + with_ * (-len(part) % 4)


def _file(document: bytes, binary: bytes) -> bytes:
    chunks = _chunk(b"JSON", _filled(document, b" ")) + _chunk(b"BIN\0", binary)
    return b"glTF" + struct.pack("<II", 2, 12 + len(chunks)) + chunks


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack("<I", len(content)) + kind + content
