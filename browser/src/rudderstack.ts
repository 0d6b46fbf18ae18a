/**
 * RudderStack's device-mode class. Its SDK asks nobody before it sends, so the class steps in where an event enters the
 * SDK's two queues: there it decides, writes the receipt and delivers, all at once. Of the methods that the SDK calls
 * later only `identify` does anything, for visitors who were identified before the class came. Without that place
 * (another version of the SDK) there is no receipt, and the server delivers everything.
 */

import "./language";

import { type Fields, isArray, isFields, type Json, keys } from "./engine";
import type { Settings } from "./hubspot";
import { NAME, receipts } from "./receipt";
import { forms, page } from "./script";

/** The ids of a list, or ids and names of an object (OneTrust's, of older SDKs). */
const ids = (given: Json): Json[] | undefined =>
  isArray(given) ? given : isFields(given) ? [...keys(given), ...Object.values(given)] : undefined;

/** Whether the SDK's word on consent is against these categories; the server reads it the same way. */
const refused = ({ consentCategories, consentResolution }: Settings, said: Json): boolean => {
  const { allowedConsentIds, deniedConsentIds, resolutionStrategy } = isFields(said) ? said : ({} as Json);
  const allowed = ids(allowedConsentIds);
  const denied = ids(deniedConsentIds) || [];
  if (!consentCategories[0] || !((allowed && allowed[0]) || denied[0])) return false;
  const agreed = (one: string): boolean => !denied.includes(one) && (!allowed || allowed.includes(one));
  const own = /^(and|or)$/i.exec(resolutionStrategy);
  return !consentCategories[(own ? own[0]! : consentResolution).toLowerCase() === "or" ? "some" : "every"](agreed);
};

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
    decide(shaped, open(this.judged(shaped)));
    deliver(this.judged(shaped));
  }

  /** The event; one that the visitor's consent holds back says so as Segment's events do. */
  private judged(event: Fields): Fields {
    const { context } = event;
    if (!refused(this.settings, context.consentManagement)) return event;
    return { ...event, context: { ...context, consent: { categoryPreferences: {} } } };
  }

  isReady(): boolean {
    return this.over;
  }

  /** One that went to the server before the class came: only it can still tell HubSpot whose visitor this is. */
  identify({ message }: Fields): void {
    const { messageId, context } = message;
    if (!this.seen.has(messageId))
      this.receipts.deliver(this.judged({ ...message, traits: message.traits || context.traits }));
  }

  track(): void {}
  page(): void {}
}

page.HubSpot_RS = { HubSpot };
