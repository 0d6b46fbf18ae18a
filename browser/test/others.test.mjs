// The classic integration, RudderStack's class, and what holds for every file.

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { gzipSync } from "node:zlib";

import { bundle, stop } from "../bundle.mjs";
import { delivered, event, open, segment, settings, SEGMENTS_OWN } from "../testing/page.mjs";

after(stop);

test("the remote plugin stays within 3 kB; no file evaluates text as code", async () => {
  assert.ok(gzipSync(await bundle("segment"), { level: 9 }).length <= 3072);
  for (const entry of ["segment", "segment-full", "classic", "rudderstack"])
    assert.doesNotMatch(await bundle(entry), /\beval\b|\bFunction\b|setTimeout\(["'`]/);
});

test("the full plugin knows the rest of the language", async () => {
  const page = await open("segment-full");
  const mapping = { name: { "@replace": { value: { "@path": "$.event" }, pattern: "!", replacement: "" } } };
  const when = ["match", ["$", "event"], "Or?er*"];
  const { send } = await segment(page, settings({ subscriptions: [{ ...SEGMENTS_OWN[1], when, mapping }] }));
  assert.ok(delivered(await send(event("track", { event: "Order!" }))));
  assert.equal(page.calls("trackCustomBehavioralEvent")[0].name, "pe123_order");
});

test("classic: only what carries a receipt is delivered, the rest is the server's", async () => {
  const page = await open("classic");
  assert.deepEqual(page.window.hubspotDeps, []);
  page.window.hubspotLoader();
  const integration = new page.window.hubspotIntegration(settings());
  const heard = [];
  let decide;
  integration.analytics = { register: (part) => ((decide = part), part.load({}, {})) };
  integration.once("ready", () => heard.push("ready"));
  integration.on("initialize", () => heard.push("initialize"));
  integration.initialize();
  assert.deepEqual(heard, ["initialize", "ready"]);
  const early = event("track", { event: "Early" });
  integration.invoke("track", { json: () => early });
  const later = event("track", { event: "Later", properties: { at: new Date(0) } });
  await decide.track({ event: later });
  integration.invoke("track", { json: () => later });
  assert.ok(delivered(later) && !delivered(early));
  assert.deepEqual(page.calls("trackCustomBehavioralEvent"), [{ name: "pe123_later", properties: { at: 0 } }]);
});

/** RudderStack's SDK as far as the class sees it: `enqueue` puts a copy into both of its queues. */
async function rudderstack(given, world) {
  const page = await open("rudderstack", world);
  const sent = [];
  const queues = { enqueue: (one) => void sent.push(structuredClone(one)) };
  page.window.rudderanalytics = { getAnalyticsInstance: () => ({ eventRepository: queues }) };
  const integration = new page.window.HubSpot_RS.HubSpot(settings(given), {}, {});
  integration.init();
  return { page, integration, send: (one) => (queues.enqueue(one), sent.at(-1)) };
}
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test("RudderStack: decided and delivered where an event enters the SDK's queues", async () => {
  const { page, integration, send } = await rudderstack();
  assert.ok(!integration.isReady());
  assert.ok(!delivered(send(event("track", { event: "Early" }))), "HubSpot's script is not there yet");
  await wait(120);
  assert.ok(integration.isReady());
  const identify = event("identify", { context: { traits: { email: "a@b.c", since: "2020-01-02T00:00:00.000Z" } } });
  const sent = send(identify);
  assert.ok(!delivered(sent), "HubSpot's script only keeps it: the server writes the contact");
  assert.equal(sent.traits, undefined, "the SDK's event keeps its shape");
  assert.equal(sent.context.hubspotutk, "f00d");
  assert.deepEqual(page.calls("identify"), [{ email: "a@b.c", id: "u1", since: Date.UTC(2020, 0, 2) }]);
  assert.ok(!delivered(send(event("track", { event: "A", integrations: { All: true, HubSpot: false } }))));
  for (const type of ["identify", "track", "page"]) integration[type]({ message: identify });
  assert.equal(page.seen.length, 1, "what the SDK hands over later was delivered or is the server's");
  const early = event("identify", { context: { traits: { email: "early@b.c" } } });
  integration.identify({ message: early });
  assert.deepEqual(page.calls("identify")[1], { email: "early@b.c", id: "u1" }, "it came before the class did");
  page.navigator.onLine = false;
  assert.ok(!delivered(send(event("track", { event: "A" }))), "offline the SDK keeps it, HubSpot's script would not");
});

test("RudderStack: the first page view is HubSpot's, whether it came before us or after", async () => {
  const before = await rudderstack();
  await wait(120);
  before.page.location.pathname = "/a";
  assert.ok(delivered(before.send(event("page", { page: { path: "/a" } }))));
  assert.deepEqual(before.page.views, ["/home", "/a"]);
  const later = await rudderstack();
  await wait(120);
  assert.ok(delivered(later.send(event("page"))));
  assert.deepEqual(later.page.views, ["/home"]);
});

test("RudderStack: its consent object decides as on the server, and HubSpot's script is loaded only after a yes", async () => {
  const both = { consentCategories: ["ads", "analytics"] };
  const { page, send } = await rudderstack(both);
  const said = (allowedConsentIds, deniedConsentIds, more) =>
    event("track", { event: "A", context: { consentManagement: { allowedConsentIds, deniedConsentIds, ...more } } });
  const refusals = [
    said(["ads"], ["analytics"]),
    said(["ads"], []),
    said([], ["sale"]),
    said(undefined, ["ads"]),
    said({ C1: "ads" }, []),
    said(["ads", "analytics"], ["ads"]),
    said([], ["ads", "analytics"], { resolutionStrategy: "or" }),
  ];
  for (const one of refusals) {
    const sent = send(one);
    assert.ok(!delivered(sent), JSON.stringify(one.context));
    assert.equal(sent.context.consent, undefined, "the event keeps what it said");
  }
  await wait(120);
  assert.deepEqual(page.scripts, []);
  send(said(["ads", "analytics"], []));
  await wait(120);
  assert.equal(page.scripts.length, 1);
  const consents = [
    said(["ads", "analytics"], ["sale"]),
    said({ C1: "ads", analytics: "Statistics" }, []),
    said(undefined, ["sale"]),
    said([], []),
    said(["ads"], ["analytics"], { resolutionStrategy: "or" }),
    event("track", { event: "A" }),
  ];
  for (const one of consents) assert.ok(delivered(send(one)), JSON.stringify(one.context));
  for (const one of refusals) assert.ok(!delivered(send(one)), JSON.stringify(one.context));
  const any = await rudderstack({ ...both, consentResolution: "or" });
  send(said(["ads"], ["analytics"]));
  any.send(said(["ads"], ["analytics"]));
  await wait(120);
  assert.ok(delivered(any.send(said(["ads"], ["analytics"]))));
  assert.ok(!delivered(any.send(said(["ads"], ["analytics"], { resolutionStrategy: "and" }))));
});

test("RudderStack: an identify that came before the class is told only with consent", async () => {
  const { page, integration, send } = await rudderstack({ consentCategories: ["ads"] });
  const traits = { email: "early@b.c" };
  const early = (deniedConsentIds) => ({ message: event("identify", { context: { traits, consentManagement: { deniedConsentIds } } }) });
  send(event("track", { event: "A" }));
  await wait(120);
  integration.identify(early(["ads"]));
  assert.deepEqual(page.calls("identify"), []);
  integration.identify(early(["sale"]));
  assert.equal(page.calls("identify").length, 1);
});

test("RudderStack: blocked script, or an SDK that we do not know: ready in time, and the server delivers", async () => {
  const blocked = await rudderstack({}, { mood: "blocked" });
  await wait(120);
  assert.ok(blocked.integration.isReady());
  assert.ok(!delivered(blocked.send(event("track", { event: "A" }))));
  const page = await open("rudderstack");
  page.window.rudderanalytics = [];
  new page.window.HubSpot_RS.HubSpot(settings(), {}, {}).init();
  assert.equal(page.scripts.length, 1);
});
