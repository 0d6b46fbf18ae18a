"""A portal's day: when it began, and when a used-up quota is worth asking about again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from millstream.hubspot_api.budget import Budget
from millstream.hubspot_api.portal_day import PortalDay

HOUR = 3600


def at(moment):
    """A day whose clock stands at a moment of UTC."""
    now = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    return PortalDay(lambda: int(now.timestamp() * 1000)), now


def ends(day, now):
    """The moment in UTC at which a used-up quota is asked about again."""
    return (now + timedelta(seconds=day.quota_left_s())).strftime("%Y-%m-%d %H:%M")


@pytest.mark.parametrize(
    ("zone", "now", "began", "ended"),
    [
        ("UTC", "2026-11-21 12:00", "2026-11-21 00:00", "2026-11-22 00:00"),
        ("Europe/Berlin", "2026-11-21 12:00", "2026-11-20 23:00", "2026-11-21 23:00"),
        ("US/Eastern", "2026-11-21 03:00", "2026-11-20 05:00", "2026-11-21 05:00"),
        ("Asia/Kolkata", "2026-11-21 12:00", "2026-11-20 18:30", "2026-11-21 18:30"),
        # a day of 23 hours, and one of 25
        ("Europe/Berlin", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),
        ("Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),
        # clocks go from midnight to 1 o'clock: the day begins with the change
        ("America/Santiago", "2026-09-05 20:00", "2026-09-05 04:00", "2026-09-06 04:00"),
        ("America/Santiago", "2026-09-06 20:00", "2026-09-06 04:00", "2026-09-07 03:00"),
        # midnight comes twice: the first one counts
        ("America/Havana", "2026-11-01 20:00", "2026-11-01 04:00", "2026-11-02 05:00"),
    ],
)
def test_a_day_lasts_from_midnight_to_midnight_where_the_portal_is(zone, now, began, ended):
    """Also when clocks change, on whole and half hours."""
    day, moment = at(now)
    day.learn({"timeZone": zone, "utcOffsetMilliseconds": 0})
    assert datetime.fromtimestamp(day.began_ms() / 1000, UTC).strftime("%Y-%m-%d %H:%M") == began
    assert ends(day, moment) == ended


@pytest.mark.parametrize(
    ("account", "ended"),
    [
        ({"timeZone": "Mars/Olympus", "utcOffsetMilliseconds": -4 * HOUR * 1000}, "2026-11-22 04:00"),
        ({"timeZone": "Mars/Olympus"}, "2026-11-22 00:00"),
        ({"timeZone": "../etc/passwd", "utcOffsetMilliseconds": "x"}, "2026-11-22 00:00"),
        ({}, "2026-11-22 00:00"),
    ],
)
def test_a_zone_without_data_counts_by_its_offset(account, ended, caplog):
    """And says so; without an offset it is UTC."""
    day, now = at("2026-11-21 12:00")
    day.learn(account)
    assert ends(day, now) == ended
    assert "time zone is not known" in caplog.text


def test_before_the_zone_is_known_every_full_hour_may_be_midnight():
    """After a restart with a used-up quota, account-info is refused as well: nobody waits in the wrong zone."""
    day, now = at("2026-11-21 12:40")
    assert not day.known
    assert ends(day, now) == "2026-11-21 13:00"


def test_a_refusal_right_after_midnight_is_yesterdays():
    """Our clock may be ahead of HubSpot's: a few minutes are waited, not another day."""
    day, now = at("2026-11-21 00:00")
    day.learn({"timeZone": "UTC"})
    assert ends(day, now) == "2026-11-21 00:05"
    day, now = at("2026-11-21 01:00")
    day.learn({"timeZone": "UTC"})
    assert ends(day, now) == "2026-11-22 00:00"


def test_a_used_up_day_waits_for_its_end_and_is_forgotten_then():
    """A daily 429 stops every pool; afterwards calls go, even though nobody told us that the quota is back."""
    budget = Budget(day_left_s=lambda: 7 * HOUR)
    assert budget.limited("general", "DAILY", None, 100.0) == 7 * HOUR
    assert budget.quota_s(100.0) == budget.quota_s(100.0, backfill=True) == 7 * HOUR
    assert budget.quota_s(100.0 + 7 * HOUR) == 0


def test_retry_after_wins_over_midnight():
    """HubSpot knows best."""
    budget = Budget(day_left_s=lambda: 7 * HOUR)
    assert budget.limited("general", "DAILY", 60.0, 100.0) == 60.0
    assert budget.quota_s(100.0) == 60.0


def test_shares_of_the_day():
    """Live traffic stops at 80 % of the account's day, backfill at 50 %, each until the day ends."""
    budget = Budget(day_left_s=lambda: HOUR)
    headers = {"X-HubSpot-RateLimit-Daily": "1000", "X-HubSpot-RateLimit-Daily-Remaining": "501"}
    budget.observe(headers, "general", 0.0)
    assert budget.quota_s(1.0, backfill=True) == 0
    budget.observe({**headers, "X-HubSpot-RateLimit-Daily-Remaining": "500"}, "general", 0.0)
    assert (budget.quota_s(1.0), budget.quota_s(1.0, backfill=True)) == (0, HOUR - 1)
    budget.observe({**headers, "X-HubSpot-RateLimit-Daily-Remaining": "200"}, "general", 0.0)
    assert budget.quota_s(1.0) == HOUR - 1
    assert budget.quota_s(HOUR + 1.0) == 0
    assert budget.quota_s(HOUR + 1.0, backfill=True) == 0


def test_a_person_may_know_better():
    """`millstream resume`, after more calls were bought."""
    budget = Budget(day_left_s=lambda: HOUR)
    budget.limited("general", "DAILY", None, 0.0)
    budget.resume()
    assert budget.quota_s(1.0) == 0
