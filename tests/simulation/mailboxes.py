"""The world with real profiles: two userIds on one mailbox, and only identify calls say an address."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace
from world import World

from millstream.delivery.operation import Job, Key
from millstream.delivery.plan import Plan, Waiting
from millstream.eventlog.dedupe import Dedupe
from millstream.eventlog.reader import LogReader
from millstream.eventlog.record import KIND_OF_TYPE, Record
from millstream.pipeline.processor import Processor
from millstream.spec import events
from millstream.storage.memory.log import MemoryLog
from millstream.storage.memory.processor import MemoryProcessorStore


class Mailboxes(World):
    """Who an event belongs to, and at which address, is what the processor finds out while the events arrive.

    Everybody says their address at last, so nothing may wait for ever.
    """

    def __init__(self, seed, **more):
        self.log, self.profiles = MemoryLog(), MemoryProcessorStore()
        self.processor = Processor(self.log, self.profiles, Dedupe())
        self.reader = LogReader(self.log, self.profiles)
        super().__init__(seed, **more)
        self.events += [self._last_word(p) for p in range(30)]

    def _last_word(self, person):
        """An identify call at the end."""
        offset = len(self.events) + person
        last = next(e for e in self.events if e.event.type == "identify")
        event = replace(last.event, message_id=str(offset), user_id=f"p{person}")
        email = f"m{person // 2}@x"
        self.newest[Key("contact", "email", email)] = (offset * 1000, offset)
        resolution = replace(last.resolution, email=email)
        return replace(last, offset=offset, time_ms=offset * 1000, event=event, resolution=resolution)

    async def _feed(self):
        """Twenty events arrive in a second."""
        for given in self.events:
            said = {"email": f"{given.resolution.email}.example"} if given.event.type == "identify" else {}
            body = events.encode(replace(given.event, traits=said))
            kind, offset = KIND_OF_TYPE[given.event.type], given.offset
            await self.log.append([Record(kind, "s", offset, given.time_ms, offset, body)])
            while await self.processor.step():
                pass
            await asyncio.sleep(0.05)

    async def _run(self, kills):
        arriving = asyncio.ensure_future(self._feed())
        await super()._run(kills)
        await arriving

    def end(self):
        """As far as the processor has come."""
        return self.reader.end()

    def read(self, offset, limit):
        """Log and annotations joined."""
        return self.reader.read(offset, limit)

    def views(self, ids):
        """What is known of them by now."""
        return self.profiles.views(ids)

    def names(self, resolved, _profiles):
        """Of those that have an address."""
        return super().names([self._at(r, r.resolution.email) for r in resolved if r.resolution.email], {})

    def plan(self, resolved, profiles, records, now_ms):
        """As the world's; without an address an event waits."""
        person = resolved.resolution.profile
        address = resolved.resolution.email or profiles[person].email
        if address is None:
            return Plan(waiting=[Waiting(Job(resolved.offset, "m", "e"), person)])
        return super().plan(self._at(resolved, address), profiles, records, now_ms)

    plan_as_of_now = plan

    def _at(self, resolved, address):
        """The event at an address of the world."""
        resolution = replace(resolved.resolution, email=address.removesuffix(".example"))
        return replace(resolved, resolution=resolution)
