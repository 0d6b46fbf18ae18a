// Loads pages in Chromium over a slow link, each in a profile of its own, and prints what it took as JSON.
//
//   node bench/pageload.mjs '{"chromium": "/usr/bin/chromium", "runs": 5, "pages": {"name": "http://…"}}'

import { chromium } from "playwright-core";

const { chromium: executablePath, runs, pages } = JSON.parse(process.argv[2]);
// 150 ms there and back, 1.6 Mbit/s down, 750 kbit/s up: what developer tools call a slow 4G line.
const LINK = { offline: false, latency: 150, downloadThroughput: 1_600_000 / 8, uploadThroughput: 750_000 / 8 };
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

const once = async (url) => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const session = await context.newCDPSession(page);
  await session.send("Network.enable");
  await session.send("Network.emulateNetworkConditions", LINK);
  const first = page.waitForRequest((r) => r.method() === "POST", { timeout: 30_000 });
  await page.goto(url);
  const event = await first;
  await event.response();
  const { origin, load } = await page.evaluate(() => ({
    origin: performance.timeOrigin,
    load: performance.getEntriesByType("navigation")[0].loadEventStart,
  }));
  const found = { event_ms: event.timing().startTime - origin, load_ms: load };
  await context.close();
  return found;
};

const median = (numbers) => Math.round(numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)]);

await once(Object.values(pages)[0]); // the first one pays for the start of Chromium
const all = Object.fromEntries(Object.keys(pages).map((name) => [name, []]));
for (let run = 0; run < runs; run++) for (const [name, url] of Object.entries(pages)) all[name].push(await once(url));
for (const [name, seen] of Object.entries(all))
  console.log(
    JSON.stringify({
      page: name,
      first_event_ms: median(seen.map((one) => one.event_ms)),
      load_ms: median(seen.map((one) => one.load_ms)),
      runs,
    }),
  );
await browser.close();
