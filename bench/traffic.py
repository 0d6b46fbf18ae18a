"""Records and request bodies for the benchmarks: about a kilobyte an identify, as SDKs send them."""

from __future__ import annotations

import json

from millstream.eventlog.record import KIND_OF_TYPE, Record, message_hash
from millstream.spec import events
from millstream.spec.parse import Envelope, parse

NOW = 1_700_000_000_000


def identify(i, people, prefix="u"):
    """An identify call as JSON-able data: 17 traits."""
    traits = {
        "email": f"{prefix}{i % people}@x.example",
        "n": i,
        **{f"trait_{k}": f"value {k} {i}" for k in range(15)},
    }
    return {
        "type": "identify",
        "userId": f"{prefix}{i % people}",
        "messageId": f"{prefix}-i-{i}",
        "traits": traits,
    }


def track(i, people, prefix="u"):
    """A track call with ten properties."""
    properties = {
        "email": f"{prefix}{i % people}@x.example",
        **{f"p_{k}": f"value {k} {i}" for k in range(9)},
    }
    return {
        "type": "track",
        "event": "Order Completed",
        "userId": f"{prefix}{i % people}",
        "messageId": f"{prefix}-t-{i}",
        "properties": properties,
    }


def record(item, i, start_ms=NOW):
    """A call as a record of the log."""
    event = parse(item, Envelope("s", start_ms + i, str))
    body = events.encode(event)
    kind = KIND_OF_TYPE[item["type"]]
    return Record(kind, "s", message_hash("s", item["messageId"]), start_ms + i, start_ms + i, body)


def post(path, key, items):
    """A whole HTTP/1.1 request with a Segment batch, or with one call."""
    body = json.dumps(
        {"batch": items, "writeKey": key} if path == "/v1/batch" else {**items[0], "writeKey": key}
    )
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body.encode())}\r\n\r\n"
    return (head + body).encode()
