/** Analytics.js's classic integration: it brings the part that decides with it, and delivers what has a receipt. */

import "./language";

import type { Json } from "./engine";
import type { Settings } from "./hubspot";
import { NAME, receipts } from "./receipt";
import { forms, page } from "./script";
import { enrichment } from "./parts";

class HubSpot {
  analytics: Json;
  private readonly receipts;
  private readonly heard: Record<string, () => void> = {};

  constructor(private readonly settings: Settings) {
    this.receipts = receipts(settings, true);
  }

  on(name: string, listener: () => void): void {
    this.heard[name] = listener;
  }

  once(name: string, listener: () => void): void {
    this.on(name, listener);
  }

  initialize(): void {
    const { settings, heard } = this;
    this.analytics.register(enrichment(`${NAME} receipts`, this.receipts));
    if (settings.loadFormsSDK) forms(settings.formsUrl, settings.readyTimeoutMs);
    // Nothing is kept back here: an event that comes without a receipt is the server's.
    heard.initialize!();
    heard.ready!();
  }

  invoke(_type: string, facade: Json): void {
    this.receipts.deliver(facade.json());
  }
}

page.hubspotDeps = [];
page.hubspotLoader = () => {
  page.hubspotIntegration = HubSpot;
};
