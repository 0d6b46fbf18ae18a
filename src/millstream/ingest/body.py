"""Request bodies: read within bounds, decompressed within bounds, whatever the content type claims."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from millstream.ingest.dialects.segment import Malformed

_decoder = msgspec.json.Decoder()


class TooLarge(Exception):
    """The body is larger than the source allows."""


async def read(stream: AsyncIterator[bytes], encoding: str, limit: int) -> bytes:
    """The body's bytes, gunzipped when the header or the first bytes say so; never more than `limit`.

    Raises `TooLarge` and `Malformed`.
    """
    chunks: list[bytes] = []
    size = 0
    async for chunk in stream:
        size += len(chunk)
        if size > limit:
            raise TooLarge
        chunks.append(chunk)
    raw = b"".join(chunks)
    if encoding.strip().lower() in {"gzip", "x-gzip"} or raw[:2] == b"\x1f\x8b":
        return gunzip(raw, limit) if raw[:2] == b"\x1f\x8b" else raw
    if encoding.strip().lower() == "deflate":
        return _inflate(zlib.decompressobj(), raw, limit)
    return raw


def gunzip(raw: bytes, limit: int) -> bytes:
    """All members of a gzip stream, stopped as soon as they hold more than `limit`."""
    out = b""
    while raw:
        inflater = zlib.decompressobj(wbits=31)
        out += _inflate(inflater, raw, limit - len(out))
        raw = inflater.unused_data
        if raw[:2] != b"\x1f\x8b":  # padding after the last member is no data
            break
    return out


def _inflate(inflater: Any, raw: bytes, limit: int) -> bytes:
    try:
        out: bytes = inflater.decompress(raw, limit + 1)
    except zlib.error as error:
        raise Malformed("invalid_json", f"the body says gzip but is not: {error}") from None
    if len(out) > limit:
        raise TooLarge
    if not inflater.eof:
        raise Malformed("invalid_json", "the compressed body ends too early")
    return out


def decode(raw: bytes) -> Any:
    """JSON → Python. Raises `Malformed`, also for what is nested beyond any use."""
    if not raw.strip():
        raise Malformed("invalid_json", "the body is empty")
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("invalid_json", str(error)[:200]) from None
    except RecursionError:
        raise Malformed("too_deep", "the body is nested too deeply") from None
