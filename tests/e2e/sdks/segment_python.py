"""The official segment-analytics-python, unmodified: the scenario that every SDK plays."""

import sys
from datetime import UTC, datetime

from segment import analytics

host, key = sys.argv[1:3]
errors = []
analytics.write_key = key
analytics.host = host
analytics.on_error = lambda error, _items: errors.append(error)
at = datetime(2026, 11, 1, 12, 0, tzinfo=UTC)

analytics.identify(
    "u1",
    {
        "email": "Peter.Gibbons@Initech.example ",
        "firstName": "Peter",
        "lastName": "Gibbons",
        "position": "Engineer",
    },
    timestamp=at,
)
analytics.track(
    "u1",
    "Bought Item",
    {"value": 20.5, "item": "stapler", "email": "peter.gibbons@initech.example"},
    timestamp=at,
)
analytics.group("u1", "g1", {"name": "Initech", "website": "https://www.initech.example/about"}, timestamp=at)
analytics.screen("u1", "Main", "Menu", {"build": "7"}, timestamp=at)
analytics.page("u1", "Docs", "Pricing", {"path": "/pricing"}, timestamp=at)
analytics.track(anonymous_id="a2", user_id=None, event="Bought Item", properties={"value": 5}, timestamp=at)
analytics.identify(anonymous_id="a2", user_id="u2", traits={"email": "milton@initech.example"}, timestamp=at)
analytics.alias("a3", "u2", timestamp=at)
analytics.shutdown()
if errors:
    raise SystemExit(f"the SDK reports: {errors}")
