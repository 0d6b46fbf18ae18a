/** Analytics.js 2: a remote plugin of two parts. One decides before the SDK sends, the other delivers. */

import type { Json } from "./engine";
import type { Settings } from "./hubspot";
import { type Context, enrichment, part } from "./parts";
import { NAME, receipts } from "./receipt";
import { forms, page } from "./script";

page["hubspot-webDestination"] = (settings: Settings): Json[] => {
  const mine = receipts(settings);
  const destination = part(NAME, "destination", mine.begin);
  destination.track = destination.page = destination.identify = async (context: Context) => {
    mine.deliver(context.event);
    return context;
  };
  const parts = [enrichment(NAME, mine), destination];
  if (settings.loadFormsSDK)
    parts.push(part(NAME, "destination", () => forms(settings.formsUrl, settings.readyTimeoutMs)));
  return parts;
};
