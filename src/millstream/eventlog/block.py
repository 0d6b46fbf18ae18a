"""A block on disk: header columns beside one zstd body. Columns are little-endian arrays, so reading one costs nothing.

Layout of the header: msgpack of `[version, sources, kinds, source numbers, id hashes, times, receipts, body lengths]`.
A log file may have one zstd dictionary, trained on its own events: a block of one event is then nearly as small as its
share of a big block. Frames name the dictionary that they need, so blocks from before it was trained read as well.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from typing import Final

import msgspec
import zstandard

from millstream.eventlog.log import LogCorrupt
from millstream.eventlog.record import Block, Offset, Record

_VERSION: Final = 1
_LEVEL: Final = 1
# A block's bodies decompressed; nothing that we write comes near it.
_MAX_BODY: Final = 512 * 1024 * 1024
_DICTIONARY_BYTES: Final = 32 * 1024

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(tuple[int, list[str], bytes, bytes, bytes, bytes, bytes, bytes]).decode


def _bytes(column: array[int]) -> bytes:
    if sys.byteorder == "big":
        column = array(column.typecode, column)
        column.byteswap()
    return column.tobytes()


def _array(code: str, data: bytes) -> array[int]:
    column: array[int] = array(code)
    column.frombytes(data)
    if sys.byteorder == "big":
        column.byteswap()
    return column


def train(bodies: Sequence[bytes]) -> bytes | None:
    """A dictionary for events like these; None when they have too little in common."""
    try:
        return zstandard.train_dictionary(_DICTIONARY_BYTES, list(bodies)).as_bytes()
    except zstandard.ZstdError:
        return None


def needs_dictionary(body: bytes) -> bool:
    """Whether a block's body was compressed with its file's dictionary."""
    return zstandard.get_frame_parameters(body).dict_id != 0


class BlockCodec:
    """Encodes and decodes blocks of one file; one per thread, since zstd contexts are not shared."""

    def __init__(self, dictionary: bytes | None = None) -> None:
        self.has_dictionary = dictionary is not None
        shared = zstandard.ZstdCompressionDict(dictionary) if dictionary is not None else None
        self._compressor = zstandard.ZstdCompressor(level=_LEVEL, dict_data=shared)
        self._decompressor = zstandard.ZstdDecompressor(dict_data=shared)
        self._plain = zstandard.ZstdDecompressor()

    def encode(self, records: Sequence[Record]) -> tuple[bytes, bytes]:
        """Header and body."""
        names: dict[str, int] = {}
        sources = array("H", (names.setdefault(r.source, len(names)) for r in records))
        header = _pack(
            (
                _VERSION,
                list(names),
                bytes(r.kind for r in records),
                _bytes(sources),
                _bytes(array("Q", (r.id_hash for r in records))),
                _bytes(array("q", (r.time_ms for r in records))),
                _bytes(array("q", (r.received_ms for r in records))),
                _bytes(array("I", (len(r.body) for r in records))),
            )
        )
        return header, self._compressor.compress(b"".join(r.body for r in records))

    def decode(self, base: Offset, header: bytes, body: bytes | None) -> Block:
        """The block; without `body` its bodies are empty (for readers of headers). Raises `LogCorrupt`."""
        try:
            version, names, kinds, numbers, hashes, times, receipts, lengths = _unpack(header)
            if version != _VERSION:
                raise LogCorrupt(f"block {base} has format {version}; this version reads {_VERSION}")
            sources = [names[i] for i in _array("H", numbers)]
            sizes = _array("I", lengths)
            bodies: list[bytes] = []
            if body is not None:
                decompressor = self._decompressor if needs_dictionary(body) else self._plain
                whole = decompressor.decompress(body, max_output_size=_MAX_BODY)
                at = 0
                for size in sizes:
                    bodies.append(whole[at : at + size])
                    at += size
                if at != len(whole):
                    raise LogCorrupt(f"block {base}: bodies and lengths disagree")
            block = Block(
                base, kinds, sources, _array("Q", hashes), _array("q", times), _array("q", receipts), bodies
            )
        except (msgspec.DecodeError, zstandard.ZstdError, ValueError, IndexError) as error:
            raise LogCorrupt(f"block {base}: {error}") from error
        if not len(kinds) == len(sources) == len(block.id_hashes) == len(block.times_ms) == len(sizes):
            raise LogCorrupt(f"block {base}: columns of different length")
        return block
