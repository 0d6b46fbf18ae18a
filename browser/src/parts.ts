/** Plugins of Analytics.js: the part that decides, before the SDK sends. */

import type { Fields, Json } from "./engine";
import type { Receipts } from "./receipt";
import { taken } from "./script";

export type Context = { event: Fields };

export const part = (name: string, type: string, load: () => Json): Json => ({
  name,
  version: "1.0.0",
  type,
  isLoaded: taken,
  load: async () => load(),
});

/** The SDK lets no event through before this part is loaded, so that does not wait for HubSpot; events do. */
export const enrichment = (name: string, { begin, open, decide }: Receipts): Json => {
  const found = part(name, "enrichment", () => void begin());
  for (const type of ["track", "page", "identify", "group", "alias", "screen"])
    found[type] = async (context: Context) => {
      const may = open(context.event);
      await may;
      decide(context.event, may);
      return context;
    };
  return found;
};
