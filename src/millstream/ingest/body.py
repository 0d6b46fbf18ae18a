"""Request bodies: decompressed within bounds, whatever the content type claims, and decoded."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec

from millstream.ingest.dialects.segment import Malformed
from millstream.ingest.repair import repaired
from millstream.ingest.request import TooLarge

_decoder = msgspec.json.Decoder()


def unpack(raw: bytes, encoding: str, limit: int) -> bytes:
    """The body, gunzipped when the header or the first bytes say so; never more than `limit` bytes.

    Raises `TooLarge` and `Malformed`.
    """
    if raw[:2] == b"\x1f\x8b":
        return gunzip(raw, limit)
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
    """JSON → Python; what is almost JSON is repaired. Raises `Malformed`, also for what is nested beyond any use."""
    if not raw.strip():
        raise Malformed("invalid_json", "the body is empty")
    try:
        return _decoded(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Malformed("invalid_json", str(error)[:200]) from None
    except RecursionError:
        raise Malformed("too_deep", "the body is nested too deeply") from None


def _decoded(raw: bytes) -> Any:
    try:
        return _decoder.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            return _decoder.decode(repaired(raw))
        except ValueError:
            raise error from None
