// The official @amplitude/analytics-node, unmodified: the scenario that every SDK plays, in Amplitude's words.
import { Identify, createInstance } from "@amplitude/analytics-node";

const [host, apiKey] = process.argv.slice(2);
const client = createInstance();
const time = 1793534400000;
await client.init(apiKey, { serverUrl: `${host}/2/httpapi` }).promise;
const who = { user_id: "user1", time };
const sent = [];
const identify = new Identify();
identify.set("email", "Peter.Gibbons@Initech.example ").set("firstName", "Peter").set("lastName", "Gibbons");
identify.setOnce("position", "Engineer").add("logins", 2).append("tags", "a");
sent.push(client.identify(identify, who));
const again = new Identify();
again.setOnce("position", "Manager").add("logins", 3).append("tags", "b").unset("never_there");
sent.push(client.identify(again, { user_id: "user1", time: time + 1 }));
sent.push(client.setGroup("company", "initech", who));
const group = new Identify();
group.set("website", "https://www.initech.example").set("name", "Initech");
sent.push(client.groupIdentify("company", "initech", group, who));
sent.push(client.track("Bought Item", { value: 20.5, item: "stapler" }, who));
sent.push(client.track("Bought Item", { value: 5 }, { device_id: "device-2", time }));
const later = new Identify();
later.set("email", "milton@initech.example");
sent.push(client.identify(later, { user_id: "user2", device_id: "device-2", time }));
await client.flush().promise;
for (const result of await Promise.all(sent.map((s) => s.promise))) {
  if (result.code !== 200) throw new Error(`the SDK reports: ${JSON.stringify(result)}`);
}
