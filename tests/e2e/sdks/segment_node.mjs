// The official @segment/analytics-node, unmodified: the scenario that every SDK plays.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey] = process.argv.slice(2);
const analytics = new Analytics({ writeKey, host });
const timestamp = new Date("2026-11-01T12:00:00Z");
let failed = null;
analytics.on("error", (error) => (failed = error));

analytics.identify({
  userId: "u1",
  traits: { email: "Peter.Gibbons@Initech.example ", firstName: "Peter", lastName: "Gibbons", position: "Engineer" },
  timestamp,
});
analytics.track({
  userId: "u1",
  event: "Bought Item",
  properties: { value: 20.5, item: "stapler", email: "peter.gibbons@initech.example" },
  timestamp,
});
analytics.group({
  userId: "u1",
  groupId: "g1",
  traits: { name: "Initech", website: "https://www.initech.example/about" },
  timestamp,
});
analytics.screen({ userId: "u1", category: "Main", name: "Menu", properties: { build: "7" }, timestamp });
analytics.page({ userId: "u1", category: "Docs", name: "Pricing", properties: { path: "/pricing" }, timestamp });
analytics.track({ anonymousId: "a2", event: "Bought Item", properties: { value: 5 }, timestamp });
analytics.identify({ anonymousId: "a2", userId: "u2", traits: { email: "milton@initech.example" }, timestamp });
analytics.alias({ previousId: "a3", userId: "u2", timestamp });
await analytics.closeAndFlush();
if (failed) throw failed;
