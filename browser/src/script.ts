/** HubSpot's script in the page: loaded once, and known when it has taken over the queue `_hsq`. */

import { assign, isArray, type Json } from "./engine";

type Push = ((...calls: Json[]) => unknown) & { under?: Push };

// The page's globals: HubSpot's, the SDKs' and ours.
export const page = window as unknown as Record<string, Json>;

const LOADER = "hs-script-loader";

const queue = (): { push: Push } => page._hsq || (page._hsq = []);

/** Whether HubSpot's script works on the queue; our own wrapper around `push` does not count. */
export const taken = (): boolean => {
  const { push } = queue();
  return (push.under || push) !== Array.prototype.push;
};

/** Whether what the script sends can arrive: unlike the SDKs it keeps nothing for later. */
export const online = (): boolean => navigator.onLine;

export const push = (call: Json): unknown => queue().push(call);

/** From now on every call goes through `change`, also those that wait already. */
export const rewrite = (change: (call: Json) => Json): void => {
  const calls = queue();
  const under = calls.push;
  if (under.under) return;
  if (isArray(calls)) calls.forEach((call, i) => (calls[i] = change(call)));
  calls.push = assign((...given: Json[]) => under.apply(calls, given.map(change)), { under });
};

/** Resolves when `done`, or when the time is over. */
export const until = (done: () => Json, ms: number): Promise<void> =>
  new Promise((resolve) => {
    const end = Date.now() + ms;
    const look = (): unknown => (done() || Date.now() >= end ? resolve() : setTimeout(look, 50));
    look();
  });

const load = (src: string, id: string, onerror: () => void): unknown =>
  document.head.appendChild(assign(document.createElement("script"), { id, onerror, src }));

/** Loads the tracking script unless it is there. False when the page has another portal's. */
export const track = (url: string, portal: string, failed: () => void): boolean => {
  const present = document.getElementById(LOADER) as HTMLScriptElement | null;
  if (!present && !taken()) load(url, LOADER, failed);
  return !present || present.src.includes(`/${portal}.`);
};

/** Loads the forms script unless it is there; resolves when forms can be made, or never will. */
export const forms = (url: string, ms: number): Promise<void> => {
  let over: Json;
  if (!page.hbspt) load(url, "hs-forms-loader", () => (over = 1));
  return until(() => over || page.hbspt, ms);
};
