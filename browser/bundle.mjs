// TypeScript → one minified script. Shared by the build and the tests, so that tests run what browsers run.

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild-wasm";

const src = join(dirname(fileURLToPath(import.meta.url)), "src");

const OPTIONS = {
  bundle: true,
  minify: true,
  write: false,
  logLevel: "silent",
  target: "es2017",
  // Classes and modules are strict as they are written; this only leaves the words out.
  tsconfigRaw: { compilerOptions: { alwaysStrict: false, useDefineForClassFields: false } },
  // Without it esbuild writes such expressions as longer calls of RegExp. Browsers have them since 2020.
  supported: { "regexp-unicode-property-escapes": true },
};

/** An entry of `src/` as a script that leaves nothing behind but what it sets on `window`. */
export const bundle = async (entry) => {
  const built = await esbuild.build({ ...OPTIONS, entryPoints: [join(src, `${entry}.ts`)], format: "iife" });
  return built.outputFiles[0].text;
};

/** Some of `src/` as a module, imported: `source` says what it exports. */
export const load = async (source) => {
  const stdin = { contents: source, resolveDir: src, loader: "ts" };
  const built = await esbuild.build({ ...OPTIONS, stdin, format: "esm" });
  return import(`data:text/javascript;base64,${Buffer.from(built.outputFiles[0].text).toString("base64")}`);
};

export const minify = async (text) =>
  (await esbuild.transform(text, { minify: true, target: "es2020", legalComments: "none" })).code;

export const stop = () => esbuild.stop();
