"""`millstream eval`: one JSON line in, one JSON line out, whatever the line is (SEMANTICS 41)."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from millstream.mapping.compile import compile_mapping
from millstream.mapping.errors import MappingError
from millstream.mapping.output import MAX_BYTES
from millstream.mapping.trigger import TriggerError, parse_trigger
from millstream.mapping.values import UNDEFINED

# The longest line that is looked at: reading it takes 10 ms, and no event is larger by far.
MAX_LINE: Final = 2_000_000


def evaluate_line(line: bytes) -> bytes:
    """The answer to one line; `output` is absent when the result is undefined."""
    if len(line) > MAX_LINE:
        return msgspec.json.encode({"error": f"the line is longer than {MAX_LINE} bytes"})
    answer = msgspec.json.encode(_answer(line))
    if len(answer) > MAX_BYTES:
        return msgspec.json.encode({"error": f"the output is larger than {MAX_BYTES} bytes"})
    return answer


def _answer(line: bytes) -> dict[str, Any]:
    try:
        asked = msgspec.json.decode(line)
        if not isinstance(asked, dict) or not {"mapping", "trigger"} & set(asked):
            return {"error": 'expected {"mapping" or "trigger": …, "event": {…}}'}
        if "trigger" in asked:
            if not isinstance(asked["trigger"], str):
                return {"error": "`trigger` must be text"}
            return {
                "output": parse_trigger(asked["trigger"], asked.get("compat")).matches(asked.get("event"))
            }
        if "event" not in asked:
            return {"error": "`event` is missing"}
        output = compile_mapping(asked.get("mapping")).evaluate(asked["event"])
    except (MappingError, TriggerError) as error:
        return {"error": str(error)}
    except (msgspec.DecodeError, TypeError, RecursionError) as error:
        return {"error": f"{type(error).__name__}: {error}"}
    return {} if output is UNDEFINED else {"output": output}
