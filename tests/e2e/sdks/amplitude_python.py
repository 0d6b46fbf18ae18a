"""The official amplitude-analytics, unmodified: the scenario that every SDK plays, in Amplitude's words."""

import sys

from amplitude import Amplitude, BaseEvent, EventOptions, Identify

host, key = sys.argv[1:3]
failed = []
client = Amplitude(key)
client.configuration.server_url = f"{host}/2/httpapi"
client.configuration.callback = lambda event, code, message: (
    code == 200 or failed.append((event.event_type, message))
)
at = 1_793_534_400_000

who = EventOptions(user_id="user1", time=at)
identify = Identify()
identify.set("email", "Peter.Gibbons@Initech.example ").set("firstName", "Peter").set("lastName", "Gibbons")
identify.set_once("position", "Engineer").add("logins", 2).append("tags", "a")
client.identify(identify, who)
again = Identify()
again.set_once("position", "Manager").add("logins", 3).append("tags", "b").unset("never_there")
client.identify(again, EventOptions(user_id="user1", time=at + 1))
client.set_group("company", "initech", who)
group = Identify()
group.set("website", "https://www.initech.example").set("name", "Initech")
client.group_identify("company", "initech", group, who)
client.track(
    BaseEvent("Bought Item", user_id="user1", time=at, event_properties={"value": 20.5, "item": "stapler"})
)
client.track(BaseEvent("Bought Item", device_id="device-2", time=at, event_properties={"value": 5}))
later = Identify()
later.set("email", "milton@initech.example")
client.identify(later, EventOptions(user_id="user2", device_id="device-2", time=at))
client.shutdown()
if failed:
    raise SystemExit(f"the SDK reports: {failed}")
