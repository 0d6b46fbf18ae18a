// The plugin of Analytics.js: what HubSpot is told, who delivers, and that nobody waits for ever.

import assert from "node:assert/strict";
import { after, mock, test } from "node:test";

import { stop } from "../bundle.mjs";
import { delivered, event, open, segment, settings, SEGMENTS_OWN } from "../testing/page.mjs";

after(stop);

const started = async (given, world) => {
  const page = await open("segment", world);
  return { page, ...(await segment(page, settings(given))) };
};
const track = (name, properties = {}, more = {}) => event("track", { event: name, properties, ...more });

test("identify: trimmed, flat, lower-case names, dates in milliseconds, nothing overwritten by what is not there", async () => {
  const { page, send } = await started();
  const traits = {
    email: " ada@example.com ",
    firstName: " Ada ",
    "Plan.Tier x": "pro",
    city: "Root City",
    since: new Date(Date.UTC(2020, 0, 2)),
    born: "2000-01-02",
    tags: ["a", { b: 1 }],
    company: { name: "Acme", size: 3 },
    address: { street: "1 Road", postal_code: "123" },
    gone: null,
  };
  const sent = await send(event("identify", { traits }));
  assert.ok(!delivered(sent), "HubSpot's script only keeps it: the server writes the contact");
  assert.deepEqual(page.calls("identify"), [
    {
      email: "ada@example.com", id: "u1", firstname: "Ada", plan_tier_x: "pro", city: "Root City", gone: null,
      since: Date.UTC(2020, 0, 2), born: Date.UTC(2000, 0, 2), tags_0: "a", tags_1_b: 1,
      company: "Acme", address: "1 Road", zip: "123",
    },
  ]);
  assert.deepEqual(page.views, ["/home"], "no page view for an identify");
});

test("identify without an email is the server's; with flushing a page view follows at once", async () => {
  const { page, send } = await started({ flushIdentifyImmediately: true });
  assert.ok(!delivered(await send(event("identify", { traits: { plan: "pro" } }))));
  assert.ok(!delivered(await send(event("identify", { traits: { email: 5 } }))));
  assert.ok(delivered(await send(event("identify", { traits: { email: "a@b.c" } }))));
  assert.deepEqual(page.seen.map(([name]) => name), ["identify", "trackPageView"]);
});

test("track: HubSpot's name, flat properties, at most fifty, no nulls", async () => {
  const { page, send } = await started();
  const many = Object.fromEntries(Array.from({ length: 70 }, (_, i) => [`P ${i}`, i]));
  for (const [name, properties] of [
    ["Order  Completed.Now", { items: [{ sku: " x " }], coupon: null, Total: 2.5 }],
    ["pe123_already", {}],
    ["Many", many],
  ])
    assert.ok(delivered(await send(track(name, properties))));
  const [first, second, third] = page.calls("trackCustomBehavioralEvent");
  assert.deepEqual(first, { name: "pe123_order_completed_now", properties: { items_0_sku: "x", total: 2.5 } });
  assert.equal(second.name, "pe123_already");
  assert.equal(Object.keys(third.properties).length, 50);
});

test("track: with a list of definitions only what HubSpot has; formatting can be off", async () => {
  const { page, send } = await started({ events: { "order completed": "pe123_order_x" } });
  assert.ok(delivered(await send(track(" Order Completed "))));
  assert.ok(!delivered(await send(track("Unknown"))));
  assert.deepEqual(page.calls("trackCustomBehavioralEvent").map((e) => e.name), ["pe123_order_x"]);
  const plain = await started({ formatCustomBehavioralEventNames: false });
  await plain.send(track("As It Is"));
  assert.equal(plain.page.calls("trackCustomBehavioralEvent")[0].name, "As It Is");
});

test("track: a property that HubSpot's definition does not have is the server's to make", async () => {
  const full = "pe123_order_completed";
  const { page, send } = await started({ events: { "order completed": full, [full]: ["total", "items_0"] } });
  const order = (name, properties) => send(event("track", { event: name, properties }));
  assert.ok(!delivered(await order("Order Completed", { total: 1, coupon: "x" })));
  assert.ok(delivered(await order("Order Completed", { Total: 1, items: ["a"], gone: null })));
  assert.ok(delivered(await order(full, { total: 2 })));
  assert.deepEqual(page.calls("trackCustomBehavioralEvent").map(({ name }) => name), [full, full]);
});

test("page views: the first is HubSpot's own, each later one counts once", async () => {
  const { page, send } = await started();
  assert.ok(delivered(await send(event("page"))));
  page.location.pathname = "/a";
  assert.ok(delivered(await send(event("page", { page: { path: "/a" } }))));
  assert.deepEqual(page.views, ["/home", "/a"]);
  assert.deepEqual(page.calls("setPath"), []);
});

test("page views: a visitor who goes on before HubSpot's script is there loses none", async () => {
  const { page, send } = await started({}, { delay: 300 });
  const first = send(event("page"));
  page.location.pathname = "/a";
  const second = send(event("page", { page: { path: "/a", search: "" } }));
  page.location.pathname = "/b";
  const third = send(event("page", { page: { path: "/b", search: "?q=1" } }));
  assert.ok((await Promise.all([first, second, third])).every(delivered));
  assert.deepEqual(page.views, ["/home", "/a", "/b?q=1"]);
});

test("page views: a visitor who goes on in the moment in which HubSpot's script comes loses none", async () => {
  const { page, send } = await started({}, { delay: 0 });
  const first = send(event("page"));
  page.location.pathname = "/a";
  const second = send(event("page", { page: { path: "/a", search: "" } }));
  assert.ok((await Promise.all([first, second])).every(delivered));
  assert.deepEqual(page.views, ["/home", "/a"]);
});

test("page views: a mapped path, also of the view that HubSpot counts", async () => {
  const mapped = { ...SEGMENTS_OWN[2], mapping: { path: { "@template": "/x{{context.page.path}}" } } };
  const { page, send } = await started({ subscriptions: [mapped] });
  await send(event("page"));
  await send(event("page", { page: { path: "/a" } }));
  assert.deepEqual(page.views, ["/x/home", "/x/a"]);
});

test("page views: all are told when the setting says so", async () => {
  const { page, send } = await started({ skipFirstPageView: false }, { mood: "there" });
  await send(event("page"));
  assert.deepEqual(page.views, ["/home", "/home"]);
});

for (const mood of ["blocked", "empty", "hanging"])
  test(`HubSpot's script ${mood}: no receipt, nothing pushed, all resolve within 5 s, and only the first waits`, async () => {
    mock.timers.enable({ apis: ["setTimeout", "Date"] });
    try {
      const { page, send, ready } = await started({ loadFormsSDK: true }, { mood });
      let spent = 0;
      let over = false;
      const all = Promise.all([ready, send(track("A")), send(event("page"))]).then((found) => ((over = true), found));
      for (; !over && spent < 5000; spent += 50) {
        mock.timers.tick(50);
        for (let i = 0; i < 50; i++) await Promise.resolve();
      }
      assert.ok(over, `still waiting after ${spent} ms`);
      const [, ...sent] = await all;
      assert.ok(!sent.some(delivered));
      assert.ok(!delivered(await send(track("B"))), "nothing waits a second time");
      assert.deepEqual(page.seen, []);
      assert.equal(page.window._hsq.length, 0, "nothing is left for a script that comes later");
    } finally {
      mock.timers.reset();
    }
  });

test("a script that comes after the wait delivers from then on, and what the server got stays the server's", async () => {
  const { page, send } = await started({ readyTimeoutMs: 40 }, { delay: 200 });
  assert.ok(!delivered(await send(track("Early"))));
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.ok(delivered(await send(track("Later"))));
  assert.deepEqual(page.calls("trackCustomBehavioralEvent").map((e) => e.name), ["pe123_later"]);
});

test("the script is loaded once, not at all where it is, and another portal's page is left alone", async () => {
  const one = await started();
  await one.send(track("A"));
  assert.deepEqual(one.page.scripts.map(({ id, src }) => [id, src]), [["hs-script-loader", "https://js.hs-scripts.com/123.js"]]);
  const there = await started({}, { mood: "there", present: "https://js.hs-scripts.com/123.js" });
  assert.ok(delivered(await there.send(track("A"))));
  assert.equal(there.page.scripts.length, 1);
  const foreign = await started({}, { mood: "there", present: "https://js.hs-scripts.com/9123.js" });
  assert.ok(!delivered(await foreign.send(track("A"))));
  assert.deepEqual(foreign.page.seen, []);
});

test("the visitor's token goes with every event, also with those that HubSpot does not get", async () => {
  const { send } = await started({ subscriptions: [] }, { mood: "blocked", cookie: "x=1; hubspotutk=abc123; y=2" });
  for (const type of ["track", "group", "alias", "screen", "identify"])
    assert.equal((await send(event(type))).context.hubspotutk, "abc123");
  const without = await started({}, { mood: "blocked" });
  assert.ok(!("hubspotutk" in (await without.send(track("A"))).context));
});

test("what matches no subscription, a filter or a no in `integrations` is the server's, at once", async () => {
  const secret = ["=", ["$", "event"], "Secret"];
  const { page, send } = await started({ filters: [{ kind: "drop", when: secret }] });
  assert.ok(!delivered(await send(track("Secret"))));
  assert.ok(!delivered(await send(event("group"))));
  for (const integrations of [{ HubSpot: false }, { All: false }, { "HubSpot Web (Actions)": false }, { hs: false }, { hubspot: false }])
    assert.ok(!delivered(await send(track("A", {}, { integrations }))), JSON.stringify(integrations));
  assert.ok(delivered(await send(track("A", {}, { integrations: { All: false, HubSpot: true } }))));
  assert.equal(page.calls("trackCustomBehavioralEvent").length, 1);
  const only = await started({ filters: [{ kind: "only", when: secret }] });
  assert.ok(!delivered(await only.send(track("A"))));
  assert.ok(delivered(await only.send(track("Secret"))));
});

test("what this build cannot evaluate is the server's", async () => {
  const odd = { ...SEGMENTS_OWN[1], mapping: { name: { "@merge": {} } } };
  const unknown = { ...SEGMENTS_OWN[1], when: ["match", ["$", "event"], "*"] };
  for (const subscription of [odd, unknown]) {
    const { page, send } = await started({ subscriptions: [subscription] });
    assert.ok(!delivered(await send(track("A"))));
    assert.deepEqual(page.seen, []);
  }
});

test("consent: nothing of HubSpot is loaded before the visitor agrees; the view it then counts is not told again", async () => {
  const { page, send, ready } = await started({ consentCategories: ["ads"] });
  const no = { context: { consent: { categoryPreferences: { ads: false } } } };
  const yes = { context: { consent: { categoryPreferences: { ads: true } } } };
  await ready;
  assert.ok(!delivered(await send(event("page", no))));
  assert.deepEqual(page.scripts, []);
  assert.ok(delivered(await send(track("A", {}, yes))));
  assert.equal(page.scripts.length, 1);
  page.location.pathname = "/a";
  await send(event("page", { page: { path: "/a" }, context: { ...yes.context, page: { path: "/a" } } }));
  assert.deepEqual(page.views, ["/home", "/a"]);
});

test("old pages: trackEvent becomes a custom event, before and after HubSpot's script comes", async () => {
  const { page, send } = await started({}, { before: [["trackEvent", { id: "Old One", value: 3 }]] });
  page.window._hsq.push(["trackEvent", { id: "Old Two" }]);
  await send(track("A"));
  page.window._hsq.push(["trackEvent", { id: "Old Three", value: null }]);
  assert.deepEqual(page.calls("trackEvent"), []);
  assert.deepEqual(page.calls("trackCustomBehavioralEvent"), [
    { name: "pe123_old_one", properties: { value: 3 } },
    { name: "pe123_old_two", properties: {} },
    { name: "pe123_a", properties: {} },
    { name: "pe123_old_three", properties: {} },
  ]);
});

test("forms: a part of its own that holds nobody up", async () => {
  const { page, parts, send } = await started({ loadFormsSDK: true });
  assert.deepEqual(parts.map((p) => p.type), ["enrichment", "destination", "destination"]);
  assert.equal(parts[2].track, undefined);
  assert.ok(delivered(await send(track("A"))));
  assert.ok(page.scripts.some((s) => s.src === "https://js.hsforms.net/forms/v2.js"));
});
