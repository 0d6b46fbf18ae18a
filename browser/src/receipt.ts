/** Who delivers an event, the page or the server: exactly one of them. The receipt in its context says so. */

import { type Fields, isFields, type Json } from "./engine";
import { ACTIONS, type Call, modern, type Settings } from "./hubspot";
import { evaluate } from "./mapping";
import { push, rewrite, online, taken, track, until } from "./script";
import { holds } from "./trigger";

export const NAME = "HubSpot";

export interface Receipts {
  /** Loads HubSpot's script, unless that needs the visitor's consent: then the first event with it does. */
  begin(): Promise<void> | undefined;
  /** Every event passes here first: resolves when HubSpot's script has taken over or has not in time. */
  open(event: Fields): Promise<void> | undefined;
  /** Decides who delivers, and writes it into the event. `may`: what `open` gave. */
  decide(event: Fields, may: unknown): void;
  /** Delivers an event with our receipt; of one without, HubSpot's script only hears whose visitor this is. */
  deliver(event: Fields): void;
}

const stored = ([name]: Call): boolean => name === "identify";

/** `late`: the SDK may have handled events before it loaded us. */
export const receipts = (settings: Settings, late?: boolean): Receipts => {
  const { destination, consentCategories } = settings;
  let waiting: Promise<void> | undefined;
  let over: Json;
  let foreign: boolean;
  let begun: string;
  let told: string;
  // The last page event, and the one that HubSpot's script counts by itself.
  let last: string;
  let first: string;

  const here = (): string => location.pathname + location.search;

  const send = (calls: Call[]): void => {
    rewrite((call) => modern(call, settings));
    for (const call of calls) {
      if (call[0] === "setPath") told = call[1];
      push(call);
    }
  };

  /** Whether the script has come, or never will. If the page goes on before it, it must count where it was asked for. */
  const decided = (): Json => {
    send(!told && !taken() && here() !== begun ? [["setPath", begun]] : []);
    return taken() || over || foreign;
  };

  const start = (): Promise<void> => {
    if (!waiting) {
      begun = here();
      first = last;
      foreign = !track(settings.scriptUrl, settings.portalId, () => (over = 1));
      waiting = until(decided, settings.readyTimeoutMs);
    }
    return waiting;
  };

  /** The calls of an event, possibly none (a page view that is counted already); undefined: the server's. */
  const plan = (event: Fields): Call[] | undefined => {
    // What the server will see: dates as text, nothing undefined.
    const seen: Fields = JSON.parse(JSON.stringify(event));
    // The page may have gone on since the event was made.
    const { path, search } = seen.context.page || ({} as Json);
    const own = path ? path + (search || "") : here();
    let calls: Call[] | undefined;
    try {
      if (
        /^(page|track|identify)$/.test(seen.type) &&
        settings.filters.every(({ kind, when }) => holds(when, seen) === (kind === "only"))
      )
        for (const { enabled, partnerAction, when, mapping } of settings.subscriptions) {
          const made =
            enabled &&
            holds(when, seen) &&
            ACTIONS[partnerAction]!(
              evaluate(mapping, seen),
              settings,
              settings.skipFirstPageView && seen.messageId === first,
              told || own !== here() ? own : "",
            );
          if (made) calls = [...(calls || []), ...made];
        }
    } catch {
      // What cannot be evaluated here is left to the server, as a whole.
      return;
    }
    return calls;
  };

  /** Whether consent and `integrations` let the page deliver. In doubt the server decides. */
  const allowed = ({ context, integrations: said }: Fields): boolean => {
    const { categoryPreferences } = context.consent || ({} as Json);
    return (
      (!isFields(categoryPreferences) || consentCategories.every((one) => categoryPreferences[one] === true)) &&
      (!said ||
        ((said.All !== false || said[NAME]) &&
          said[destination] !== false &&
          // Whatever HubSpot is called there: "HubSpot Web (Actions)", "HS".
          !/"(hs|[^"]*hubspot[^"]*)":false/i.test(JSON.stringify(said))))
    );
  };

  return {
    begin: () => (consentCategories[0] ? undefined : start()),
    open(event) {
      const { type, messageId } = event;
      event.context = event.context || {};
      if (type === "page") last = messageId;
      if (!allowed(event)) return;
      start();
      decided();
      if (type === "page" && !first) first = late && here() !== begun ? NAME : messageId;
      const calls = plan(event);
      // Before the script comes this can only be the path of the view that it counts by itself.
      if (calls && messageId === first && !taken()) send(calls);
      return calls && waiting;
    },
    decide(event, may) {
      // The visitor's token goes with every event, whoever delivers it.
      const cookie = /\bhubspotutk=(\w+)/.exec(document.cookie);
      if (cookie) event.context.hubspotutk = cookie[1];
      const calls = may && !foreign && taken() && online() ? plan(event) : undefined;
      // HubSpot's script only keeps an identify for the next view or event, which may never come: that is no delivery.
      if (calls && !(calls[0] && calls.every(stored))) event.context.millstream = { delivered: [destination] };
    },
    deliver(event) {
      const { delivered } = event.context.millstream || ({} as Json);
      const calls = (allowed(event) && !foreign && plan(event)) || [];
      // Whoever writes the contact: the page's later events need the visitor to be its.
      send(delivered && delivered[0] === destination ? calls : calls.filter(stored));
    },
  };
};
