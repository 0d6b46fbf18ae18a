// A page without a browser: a window, HubSpot's script in one of its moods, and a stand-in of each SDK's contract.

import { bundle } from "../bundle.mjs";

const built = {};
const script = async (entry) => (built[entry] ??= await bundle(entry));

/** `mood`: works, late (after `delay`), blocked (404 or CSP), empty, hanging, there (before us). */
export async function open(entry, { mood = "works", delay = 20, cookie = "", url = "/home", present, before } = {}) {
  const listeners = [];
  const scripts = [];
  const seen = [];
  const location = { pathname: url, search: "" };
  const window = { _hsq: before };

  const takeOver = () => {
    let path = null;
    const run = (call) => {
      seen.push(call);
      if (call[0] === "setPath") path = call[1];
      if (call[0] === "trackPageView") page.views.push(path ?? location.pathname);
    };
    const waiting = window._hsq || [];
    window._hsq = { push: (...calls) => calls.forEach(run) };
    waiting.forEach(run);
    if (!page.views.length) page.views.push(path ?? location.pathname);
    if (!document.cookie) document.cookie = "a=b; hubspotutk=f00d";
  };
  const document = {
    cookie,
    createElement: () => ({}),
    getElementById: (id) => scripts.find((s) => s.id === id) ?? null,
    head: {
      appendChild(element) {
        scripts.push(element);
        if (element.id !== "hs-script-loader") return;
        if (mood === "works" || mood === "late") setTimeout(takeOver, delay);
        if (mood === "blocked") setTimeout(() => element.onerror(), 5);
      },
    },
  };
  const navigator = { onLine: true };
  const page = { window, document, location, navigator, scripts, seen, listeners, views: [], code: await script(entry) };
  if (present) scripts.push({ id: "hs-script-loader", src: present });
  if (mood === "there") takeOver();
  const timer = (...given) => setTimeout(...given);
  const names = ["window", "document", "location", "navigator", "setTimeout"];
  new Function(...names, page.code)(window, document, location, navigator, timer);
  page.calls = (name) => seen.filter((call) => call[0] === name).map((call) => call[1]);
  return page;
}

let number = 0;

export function event(type, more = {}) {
  const context = { page: more.page ?? { path: "/home", search: "" }, ...more.context };
  return { type, messageId: `m${++number}`, userId: "u1", timestamp: "2026-03-01T00:00:00.000Z", ...more, context };
}

export const settings = (more = {}) => ({
  destination: "hubspot",
  portalId: "123",
  enableEuropeanDataCenter: false,
  scriptUrl: "https://js.hs-scripts.com/123.js",
  formsUrl: "https://js.hsforms.net/forms/v2.js",
  flushIdentifyImmediately: false,
  formatCustomBehavioralEventNames: true,
  loadFormsSDK: false,
  skipFirstPageView: true,
  readyTimeoutMs: 3000,
  consentCategories: [],
  consentResolution: "and",
  events: null,
  filters: [],
  subscriptions: SEGMENTS_OWN,
  ...more,
});

const path = (at) => ({ "@path": at });
const on = (name, type, partnerAction, mapping) => ({
  name,
  enabled: true,
  partnerAction,
  subscribe: `type = "${type}"`,
  when: ["=", ["$", "type"], type],
  mapping,
});

/** The presets of Segment's HubSpot Web. */
export const SEGMENTS_OWN = [
  on("Upsert Contact", "identify", "upsertContact", {
    email: path("$.traits.email"),
    id: path("$.userId"),
    custom_properties: path("$.traits"),
    company: path("$.traits.company.name"),
    country: path("$.traits.address.country"),
    state: path("$.traits.address.state"),
    city: path("$.traits.address.city"),
    address: path("$.traits.address.street"),
    zip: {
      "@if": {
        exists: path("$.traits.address.postalCode"),
        then: path("$.traits.address.postalCode"),
        else: path("$.traits.address.postal_code"),
      },
    },
  }),
  on("Track Custom Behavioral Event", "track", "trackCustomBehavioralEvent", {
    name: path("$.event"),
    properties: path("$.properties"),
  }),
  on("Track Page View", "page", "trackPageView", {}),
];

/** Analytics.js: enrichments one after the other, what it sends, then destinations as `integrations` has it. */
export async function segment(page, given) {
  const parts = await page.window["hubspot-webDestination"](given);
  for (const part of parts)
    for (const field of ["name", "version", "type", "load", "isLoaded"]) if (part[field] === undefined) throw Error(field);
  const ready = Promise.all(parts.filter((p) => p.type === "destination").map((p) => p.load({}, {})));
  for (const part of parts) if (part.type === "enrichment") await part.load({}, {});
  const sent = [];
  const send = async (one) => {
    const context = { event: one };
    for (const part of parts) if (part.type === "enrichment") await part[one.type]?.(context);
    sent.push(JSON.parse(JSON.stringify(context.event)));
    const said = one.integrations ?? {};
    if ((said.HubSpot ?? said.All) !== false)
      for (const part of parts) if (part.type === "destination") await part[one.type]?.(context);
    return sent.at(-1);
  };
  return { parts, ready, sent, send };
}

/** Whether an event that was sent says that the page delivered it. */
export const delivered = (one) => one.context.millstream?.delivered.includes("hubspot") ?? false;
