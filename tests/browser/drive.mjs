// Drives Chromium for the tests: one JSON line in, one JSON line out, for as long as standard input lasts.
//
//   {"id": 1, "do": "page", "context": "a", …}  →  {"id": 1, "value": …}  or  {"id": 1, "error": "…"}
//
// Every context notes all requests of its pages, and every call that `_hsq` was given in any of them.

import { createInterface } from "node:readline";

import * as esbuild from "esbuild-wasm";
import { chromium } from "playwright-core";

// Whatever a page tries, beacons too, no other machine is asked.
const ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1";
// A page that ends leaves promises of the library behind that nobody waits for.
process.on("unhandledRejection", (error) => console.error(error));
// Nothing ends because of a slow machine: who asked knows how long to wait.
const browser = await chromium.launch({ executablePath: process.argv[2], args: ["--no-sandbox", ALONE], timeout: 0 });
const contexts = new Map();
const pages = new Map();

// Notes what `_hsq` is given, whoever owns it at the time. The queue of a page is an array whose `push` is the array's
// own, which is how plugins know that HubSpot's script has not come yet: so the array's own is what notes.
const spy = () => {
  const own = Array.prototype.push;
  const note = (calls) => {
    for (const call of calls) window.__took(JSON.stringify([location.href, call]));
  };
  Array.prototype.push = function push(...calls) {
    if (this === held) note(calls);
    return own.apply(this, calls);
  };
  let held;
  // The driver's library does not see beacons, and those of a page that ends can be told to nobody but the next one.
  const { sendBeacon } = navigator;
  navigator.sendBeacon = (url, data) => {
    localStorage.beacons = JSON.stringify([...JSON.parse(localStorage.beacons || "[]"), String(url)]);
    return sendBeacon.call(navigator, url, data);
  };
  Object.defineProperty(window, "_hsq", {
    configurable: true,
    get: () => held,
    set: (queue) => {
      held = queue;
      if (Array.isArray(queue)) return;
      const { push } = queue;
      queue.push = (...calls) => {
        note(calls);
        return push.apply(queue, calls);
      };
    },
  });
};

const COMMANDS = {
  async context({ context, options }) {
    const made = await browser.newContext(options);
    made.setDefaultTimeout(0);
    const found = { made, requests: [], took: [], errors: [] };
    contexts.set(context, found);
    await made.exposeBinding("__took", (_source, text) => void found.took.push(JSON.parse(text)));
    await made.addInitScript(spy);
    made.on("request", (request) => {
      const noted = { url: request.url(), method: request.method(), at: Date.now(), headers: request.headers() };
      found.requests.push(noted);
      request.response().then(
        (response) => (noted.status = response ? response.status() : 0),
        () => (noted.status = 0),
      );
    });
    made.on("weberror", (error) => found.errors.push(String(error.error())));
  },
  async page({ context, page }) {
    const found = contexts.get(context);
    const made = await found.made.newPage();
    made.on("console", (said) => said.type() === "error" && found.errors.push(said.text()));
    pages.set(page, made);
  },
  async goto({ page, url, until }) {
    await pages.get(page).goto(url, { waitUntil: until || "load" });
  },
  evaluate: ({ page, code }) => pages.get(page).evaluate(code),
  /** Not the library's own waiting, which a Content-Security-Policy without `unsafe-eval` forbids. */
  async wait({ page, code, timeout }) {
    const end = Date.now() + timeout;
    while (!(await pages.get(page).evaluate(`!!(${code})`))) {
      if (Date.now() > end) throw new Error(`not in ${timeout} ms: ${code}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  },
  async answer({ context, url, status, body, type }) {
    await contexts.get(context).made.route(url, (route) =>
      route.fulfill({ status, body, contentType: type, headers: { "access-control-allow-origin": "*" } }),
    );
  },
  async offline({ context, on }) {
    await contexts.get(context).made.setOffline(on);
  },
  /** Like a visitor who comes back when what is cached has expired. */
  async expire({ context, page }) {
    const session = await contexts.get(context).made.newCDPSession(pages.get(page));
    await session.send("Network.clearBrowserCache");
    await session.detach();
  },
  async leave({ page }) {
    await pages.get(page).close({ runBeforeUnload: false });
  },
  seen({ context }) {
    const { requests, took, errors } = contexts.get(context);
    return { requests, took, errors };
  },
  async over({ context }) {
    const found = contexts.get(context);
    contexts.delete(context);
    if (found) await found.made.close();
  },
  /** An application with a package from npm, as one script whose exports are `window.app`. */
  async bundle({ code, folder }) {
    const stdin = { contents: code, resolveDir: folder, loader: "js" };
    const built = await esbuild.build({ stdin, bundle: true, write: false, format: "iife", globalName: "app", logLevel: "silent" });
    return built.outputFiles[0].text;
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const asked = JSON.parse(line);
  Promise.resolve()
    .then(() => COMMANDS[asked.do](asked))
    .then(
      (value) => ({ id: asked.id, value: value === undefined ? null : value }),
      (error) => ({ id: asked.id, error: String((error && error.stack) || error) }),
    )
    .then((reply) => process.stdout.write(`${JSON.stringify(reply)}\n`));
}
await browser.close();
await esbuild.stop();
