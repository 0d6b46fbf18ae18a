"""What we make in a portal's schema: what counts, from when, until when; and what is asked of the account first."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import msgspec
import pytest

from millstream.delivery.operation import Key
from millstream.delivery.sink import CallFailed, Cause, WriteRow
from millstream.delivery.statement import Statement
from millstream.destinations.hubspot import destination as hubspot
from millstream.destinations.hubspot.calls.schema import create_definitions, create_properties
from millstream.hubspot_api.client import Answer
from millstream.hubspot_api.errors import HubSpotError, Unreachable, classify
from millstream.storage.memory.made import MemoryMadeStore
from millstream.workspace.model import Destination

PLAN = Key("property", "contacts", "plan")
ORDER = Key("definition", "name", "order_completed")
MAKERS = {PLAN: create_properties, ORDER: create_definitions}


def ms(moment):
    """A moment of UTC."""
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1000)


class Box:
    """A portal whose answers and clock are ours."""

    def __init__(self, now="2026-11-21 12:00"):
        self.now_ms = ms(now)
        self.store = MemoryMadeStore()
        given = Destination("hubspot", "hubspot", settings={"portal_id": "7", "access_token": "t"})
        self.built = hubspot.build(given, lambda: self.now_ms, self.store, lambda *_: None)
        self.portal = self.built.sink._portal
        self.portal.client.send = self.answer
        self.asked = []
        self.account = {"timeZone": "Asia/Tokyo"}

    async def answer(self, request, **_):
        """Account-info as `account` says; everything else is empty."""
        self.asked.append(request.family)
        if request.family == "account" and isinstance(self.account, Exception):
            raise self.account
        return Answer(200, msgspec.json.encode(self.account if request.family == "account" else {}))

    def want(self, count):
        """So many new properties: how many may be made."""
        return sum(self.portal.want_property("contacts", f"p{i}", f"p{i}", "string") for i in range(count))


def refused(status, **body):
    """HubSpot's refusal."""
    return HubSpotError(classify(status, {"message": "no", **body}))


async def test_the_day_is_the_portals():
    """A hundred until midnight in Tokyo, which is 15:00 UTC, and as many again behind it."""
    box = Box("2026-11-21 14:59")
    await box.portal.prepare()
    assert box.want(101) == 100
    await box.portal.making([Key("property", "contacts", f"p{i}") for i in range(100)])
    box.portal.wanted_properties.clear()
    assert box.want(101) == 0
    box.now_ms = ms("2026-11-21 15:00")
    assert box.want(101) == 100


@pytest.mark.parametrize("key", MAKERS)
@pytest.mark.parametrize(
    ("end", "counts"),
    [
        (refused(403), False),
        (refused(429), False),
        (refused(500), True),
        (Unreachable("no answer", certain=False), True),
        (asyncio.CancelledError(), True),
    ],
)
async def test_what_may_have_been_made_counts(key, end, counts):
    """It counts before HubSpot is asked, so that neither a kill nor a lost answer forgets it; a refusal takes it back."""
    box = Box()

    async def send(request):
        if request.path.endswith("/groups"):
            return {}
        assert box.store.names("7", key.object, key.by) == {key.value}
        raise end

    with pytest.raises(type(end)):
        await MAKERS[key](box.portal, [WriteRow("property", key, Statement(), [])], None, send)
    assert box.store.names("7", key.object, key.by) == ({key.value} if counts else set())


async def test_a_property_that_hubspot_refuses_does_not_count():
    """Of two in one call, the one that was made."""
    box = Box()
    bad = Key("property", "contacts", "bad")

    async def send(request):
        error = {"message": 'Property "bad" is reserved', "category": "VALIDATION_ERROR"}
        return {} if request.path.endswith("/groups") else {"results": [{"name": "plan"}], "errors": [error]}

    rows = [WriteRow("property", key, Statement(), []) for key in (PLAN, bad)]
    await create_properties(box.portal, rows, None, send)
    assert box.store.names("7", "property", "contacts") == {"plan"}


async def test_the_zone_is_asked_once():
    """With the first schema; a portal that does not tell it is in UTC."""
    box = Box()
    box.account = refused(403)
    await box.built.planner.prepare()
    await box.built.planner.prepare()
    assert box.asked.count("account") == 1
    assert box.portal._day.began_ms() == ms("2026-11-21 00:00")


async def test_a_used_up_quota_leaves_the_zone_unknown():
    """It is asked again, and the destination waits meanwhile."""
    box = Box()
    box.account = HubSpotError(classify(429, {"policyName": "DAILY"}), 1200.0)
    with pytest.raises(CallFailed) as failed:
        await box.built.planner.prepare()
    assert (failed.value.cause, failed.value.retry_after_s) == (Cause.DAILY, 1200.0)
    box.account = {"timeZone": "Asia/Tokyo"}
    await box.built.planner.prepare()
    assert box.portal._day.began_ms() == ms("2026-11-20 15:00")
