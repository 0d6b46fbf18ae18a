/**
 * RudderStack's device-mode class. Its SDK asks nobody before it sends, so the class steps in where an event enters the
 * SDK's two queues: there it decides, writes the receipt and delivers, all at once. Of the methods that the SDK calls
 * later only `identify` does anything, for visitors who were identified before the class came. Without that place (another version of the SDK) there is no receipt, and the server delivers everything.
 */

import "./language";

import type { Fields, Json } from "./engine";
import type { Settings } from "./hubspot";
import { NAME, receipts } from "./receipt";
import { forms, page } from "./script";

class HubSpot {
  name = NAME;
  private readonly receipts;
  private over = false;
  private readonly seen = new Set<string>();

  constructor(private readonly settings: Settings) {
    this.receipts = receipts(settings, true);
  }

  init(): void {
    const { settings } = this;
    const done = (): boolean => (this.over = true);
    Promise.resolve(this.receipts.begin()).then(done, done);
    if (settings.loadFormsSDK) forms(settings.formsUrl, settings.readyTimeoutMs);
    const sdk = page.rudderanalytics;
    const core = sdk && sdk.getAnalyticsInstance && sdk.getAnalyticsInstance();
    const queues = core && core.eventRepository;
    if (!queues || !queues.enqueue) return;
    const { enqueue } = queues;
    queues.enqueue = (event: Fields, ...more: Json[]) => {
      try {
        this.handle(event);
      } catch {
        // Whatever is wrong here, the event goes its way; it has no receipt unless it was delivered.
      }
      return enqueue.call(queues, event, ...more);
    };
  }

  /** The event as it is, its receipt included, in Segment's shape. */
  private handle(event: Fields): void {
    const { open, decide, deliver } = this.receipts;
    const context = event.context || (event.context = {});
    const shaped: Fields = { ...event, timestamp: event.originalTimestamp };
    if (event.type === "identify" && !event.traits) shaped.traits = context.traits;
    this.seen.add(event.messageId);
    decide(shaped, open(shaped));
    deliver(shaped);
  }

  isReady(): boolean {
    return this.over;
  }

  /** One that went to the server before the class came: only it can still tell HubSpot whose visitor this is. */
  identify({ message }: Fields): void {
    const { messageId, context } = message;
    if (!this.seen.has(messageId)) this.receipts.deliver({ ...message, traits: message.traits || context.traits });
  }

  track(): void {}
  page(): void {}
}

page.HubSpot_RS = { HubSpot };
