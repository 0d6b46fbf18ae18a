// Builds what browsers load into a folder (default: the server's static files): our plugins, and the vendors' SDKs.
//
//   node browser/build.mjs [FOLDER]
//
// `manifest.json` maps logical names to files with a hash of their content in the name; `sizes` has bytes and gzipped
// bytes of each. Analytics.js's chunks keep their names: the SDK asks for them by these.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

import { bundle, minify, stop } from "./bundle.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const modules = join(here, "..", "node_modules");
const target = resolve(process.argv[2] || join(here, "..", "src", "millstream", "devicemode", "static"));

const PLUGINS = {
  "hubspot-web.js": "segment",
  "hubspot-web-full.js": "segment-full",
  "hubspot.dynamic.js": "classic",
  "HubSpot.min.js": "rudderstack",
};
const SEGMENT = join(modules, "@segment", "analytics-next");
const RUDDERSTACK = join(modules, "@rudderstack", "analytics-js");
const AMPLITUDE = join(modules, "@amplitude", "analytics-browser");

const read = (...path) => readFileSync(join(...path), "utf8").replace(/\n?\/\/# sourceMappingURL=\S*\s*$/, "\n");
const manifest = {};
const sizes = {};

function put(logical, text, name) {
  const body = Buffer.from(text);
  const hash = createHash("sha256").update(body).digest("hex").slice(0, 12);
  const file = name || logical.replace(/^(.*?)((\.min)?\.\w+)$/, `$1.${hash}$2`);
  writeFileSync(join(target, file), body);
  manifest[logical] = file;
  sizes[logical] = { bytes: body.length, gzip: gzipSync(body, { level: 9 }).length };
}

// A vendor's host in an SDK becomes the place where the page got the SDK from. `cut` is what follows it in the
// script's address; under another name it is the script's origin. A literal that is not there any more ends the build:
// a new version of the SDK wants a look at whom it calls.
function rehost(text, cut, literals) {
  for (const [literal, path] of Object.entries(literals)) {
    const quoted = [`"${literal}"`, `'${literal}'`].filter((q) => text.includes(q));
    if (!quoted.length) throw new Error(`${literal} is not in the SDK any more`);
    for (const one of quoted) text = text.split(one).join(path ? `(millstreamHost+"${path}")` : "millstreamHost");
  }
  const host = `function(s){var u=s&&s.src||location.href,c=${cut};return c.test(u)?u.replace(c,""):new URL(u).origin}`;
  return `!function(millstreamHost){${text}\n}((${host})(document.currentScript));\n`;
}

rmSync(target, { recursive: true, force: true });
mkdirSync(target, { recursive: true });

for (const [logical, entry] of Object.entries(PLUGINS)) put(logical, await bundle(entry));

const umd = join(SEGMENT, "dist", "umd");
const analytics = rehost(read(umd, "standalone.js"), "/\\/analytics\\.js\\/.*$/", {
  "https://cdn.segment.com": "",
  "https://cdn.segment.com/analytics.js/v1/": "/analytics.js/v1/",
  "https://cdn.segment.com/analytics-next/bundles/": "/analytics-next/bundles/",
  "https://cdnjs.cloudflare.com/ajax/libs/babel-polyfill/7.7.0/polyfill.min.js": "/polyfill.min.js",
});
// This one is a host without a scheme.
const metrics = '"api.segment.io/v1"';
if (analytics.split(metrics).length !== 2) throw new Error(`${metrics} is not once in the SDK any more`);
put("analytics.min.js", analytics.replace(metrics, '(millstreamHost.split("//")[1]+"/v1")'));
for (const file of readdirSync(umd)) if (/^.+\.bundle\.\w+\.js$/.test(file)) put(file, read(umd, file), file);

// The npm bundle as the file that RudderStack's snippet loads.
const rudder = read(RUDDERSTACK, "dist", "npm", "modern", "bundled", "umd", "index.js");
const dropIn = `var exports={},module={exports:exports};\n${rudder}\nwindow.rudderanalytics=new exports.RudderAnalytics();`;
put(
  "rsa.min.js",
  await minify(
    rehost(dropIn, "/\\/[^/]+\\/(modern|legacy)\\/[^/]*$/", {
      "https://api.rudderstack.com": "",
      "https://cdn.rudderlabs.com": "",
      "https://polyfill-fastly.io/v3/polyfill.min.js": "/polyfill.min.js",
    }),
  ),
);

const api = { httpapi: "/2/httpapi", batch: "/batch" };
put(
  "amplitude.min.js",
  rehost(read(AMPLITUDE, "lib", "scripts", "amplitude-min.js"), "/\\/libs\\/.*$/", {
    "https://api2.amplitude.com/2/httpapi": api.httpapi,
    "https://api.eu.amplitude.com/2/httpapi": api.httpapi,
    "https://api2.amplitude.com/batch": api.batch,
    "https://api.eu.amplitude.com/batch": api.batch,
    "https://sr-client-cfg.amplitude.com/config": "/config",
    "https://sr-client-cfg.eu.amplitude.com/config": "/config",
    "https://diagnostics.prod.us-west-2.amplitude.com/v1/capture": "/v1/capture",
    "https://diagnostics.prod.eu-central-1.amplitude.com/v1/capture": "/v1/capture",
  }),
);

const version = (folder) => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")).version;
const licence = (title, folder, file) => `${title} ${version(folder)}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
const notices = [
  "Files here that are not ours, changed only in the hosts that they call by default.\n",
  `${licence("analytics.min.js, *.bundle.*.js: @segment/analytics-next", SEGMENT, "LICENSE.MD")}
They contain @segment/analytics-core, @segment/analytics-generic-utils, @segment/analytics-page-tools, @segment/facade,
@segment/isodate (MIT), @segment/tsub, @segment/analytics.js-video-plugins (ISC), and in the tsub chunk parts of
stdlib, Copyright (c) The Stdlib Authors, under the Apache License, Version 2.0
(http://www.apache.org/licenses/LICENSE-2.0).\n`,
  licence("rsa.min.js: @rudderstack/analytics-js", RUDDERSTACK, "LICENSE.md"),
  licence("amplitude.min.js: @amplitude/analytics-browser", AMPLITUDE, "LICENSE"),
];
put("THIRD-PARTY-NOTICES.txt", notices.join(`\n${"-".repeat(80)}\n\n`), "THIRD-PARTY-NOTICES.txt");

writeFileSync(join(target, "manifest.json"), `${JSON.stringify({ ...manifest, sizes }, null, 1)}\n`);
await stop();
for (const [logical, { bytes, gzip }] of Object.entries(sizes)) console.log(`${bytes}\t${gzip}\t${logical}`);
