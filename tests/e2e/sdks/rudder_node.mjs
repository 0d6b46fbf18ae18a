// The official @rudderstack/rudder-sdk-node, unmodified: the scenario that every SDK plays.
import RudderAnalytics from "@rudderstack/rudder-sdk-node";

const [host, writeKey] = process.argv.slice(2);
const Client = RudderAnalytics.default ?? RudderAnalytics;
const client = new Client(writeKey, { dataPlaneUrl: host });
const originalTimestamp = new Date("2026-11-01T12:00:00Z");

client.identify({
  userId: "u1",
  traits: { email: "Peter.Gibbons@Initech.example ", firstName: "Peter", lastName: "Gibbons", position: "Engineer" },
  originalTimestamp,
});
client.track({
  userId: "u1",
  event: "Bought Item",
  properties: { value: 20.5, item: "stapler", email: "peter.gibbons@initech.example" },
  originalTimestamp,
});
client.group({
  userId: "u1",
  groupId: "g1",
  traits: { name: "Initech", website: "https://www.initech.example/about" },
  originalTimestamp,
});
client.screen({ userId: "u1", category: "Main", name: "Menu", properties: { build: "7" }, originalTimestamp });
client.page({ userId: "u1", category: "Docs", name: "Pricing", properties: { path: "/pricing" }, originalTimestamp });
client.track({ anonymousId: "a2", event: "Bought Item", properties: { value: 5 }, originalTimestamp });
client.identify({ anonymousId: "a2", userId: "u2", traits: { email: "milton@initech.example" }, originalTimestamp });
client.alias({ previousId: "a3", userId: "u2", originalTimestamp });
await client.flush();
await new Promise((resolve) => setTimeout(resolve, 200));
await client.flush();
process.exit(0);
