/** HubSpot's three actions: what a mapping gave, as calls of `_hsq`. Pure. */

import { assign, type Fields, flatten, isArray, isFields, isText, type Json, keys } from "./engine";

export type Call = [name: string, argument?: Json];

/** What the server tells the plugin about a destination. */
export interface Settings {
  destination: string;
  portalId: string;
  scriptUrl: string;
  formsUrl: string;
  flushIdentifyImmediately: boolean;
  formatCustomBehavioralEventNames: boolean;
  loadFormsSDK: boolean;
  skipFirstPageView: boolean;
  readyTimeoutMs: number;
  consentCategories: string[];
  consentResolution: "and" | "or";
  // HubSpot's full name by label and name; under the full name the properties that HubSpot has of it.
  events: Record<string, string | string[]> | null;
  subscriptions: { enabled: boolean; partnerAction: string; when: Json; mapping: Json }[];
  filters: { kind: "drop" | "only"; when: Json }[];
}

const PAGE_VIEW: Call = ["trackPageView"];
const EVENT = "trackCustomBehavioralEvent";

const plain = (name: string): string => name.replace(/[\s.]+/g, "_").toLowerCase();

/** Text trimmed, days and instants in milliseconds, anything else as it is. */
const tidy = (value: Json): Json => {
  if (!isText(value)) return value;
  const short = value.trim();
  const time = /^\d{4}-\d\d-\d\d(T[\d:.]+(Z|[+-][\d:]+))?$/.test(short) ? Date.parse(short) : NaN;
  return isNaN(time) ? short : time;
};

/** Flat properties under HubSpot's names. Contacts keep their nulls; events have none, and no more than 50. */
const properties = (value: Json, contact?: boolean): Fields => {
  const found: Fields = {};
  const flat = flatten(assign({}, value), "_");
  for (const key of keys(flat))
    if (contact || (flat[key] != null && keys(found).length < 50)) found[plain(key)] = tidy(flat[key]);
  return found;
};

/** HubSpot's name of an event; of one that it does not have, the name that it would get. */
const eventName = (name: string, { events, portalId, formatCustomBehavioralEventNames }: Settings, mustBe?: boolean) => {
  const prefix = `pe${portalId}_`;
  const low = name.trim().toLowerCase();
  const known = events && events[low];
  return (
    (isArray(known) ? low : known) ||
    (events && mustBe ? "" : formatCustomBehavioralEventNames ? prefix + plain(name).replace(prefix, "") : name)
  );
};

/** The call that HubSpot still takes, for the `trackEvent` of old pages: `{id, value}`, or a name and more. */
export const modern = (call: Json, settings: Settings): Json => {
  if (!isArray(call) || call[0] !== "trackEvent") return call;
  const { id, value } = isFields(call[1]) ? call[1] : assign({}, call[2], { id: call[1] });
  return [EVENT, { name: eventName(`${id}`, settings), properties: properties({ value }) }];
};

/**
 * The calls of an action; undefined when the page cannot carry it out, so that the server must. A page view: `counted`
 * by HubSpot's script itself; `own`, the path that the script must be told when none is mapped.
 */
export const ACTIONS: Record<string, (p: Fields, s: Settings, counted: boolean, own: string) => Call[] | undefined> = {
  upsertContact(payload, settings) {
    if (!/@/.test(payload.email)) return;
    const custom: Fields = assign({}, payload.custom_properties);
    // Objects of these names are the fields of the same name.
    for (const key of ["address", "company"]) if (isFields(custom[key])) delete custom[key];
    const fields = assign({}, payload, { custom_properties: null });
    const identify: Call = ["identify", assign(properties(custom, true), properties(fields))];
    return settings.flushIdentifyImmediately ? [identify, PAGE_VIEW] : [identify];
  },
  trackCustomBehavioralEvent(payload, settings) {
    const name = payload.name && eventName(`${payload.name}`, settings, true);
    const sent = properties(payload.properties);
    const { [name]: known } = settings.events || ({} as Json);
    // HubSpot refuses an event with a property that it does not have: the server makes it first.
    return name && keys(sent).every((key) => !known || known.includes(key))
      ? [[EVENT, { name, properties: sent }]]
      : undefined;
  },
  trackPageView({ path }, _settings, counted, own) {
    const told = path || own;
    const view = counted ? [] : [PAGE_VIEW];
    return told ? [["setPath", `${told}`], ...view] : view;
  },
};
