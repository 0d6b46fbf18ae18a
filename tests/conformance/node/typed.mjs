// Compares an answer with the typings that the client ships: required fields, primitive types, dates, enums.
// The client's deserialiser itself accepts anything; its .d.ts files say what its authors expect of HubSpot.

import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const files = new Map(); // class → its .js file
const read = new Map(); // .js file → Map(field → {required, type})

// What recorded answers of HubSpot leave out although the typings require it.
const ABSENT = new Set(["StandardError.context", "StandardError.links", "StandardError.errors"]);

/** Everything in `value` that contradicts the typings. */
export function problems(value, at = "") {
  if (Array.isArray(value)) return value.flatMap((v, i) => problems(v, `${at}[${i}]`));
  if (value === null || typeof value !== "object" || value instanceof Date) return [];
  const kind = value.constructor;
  if (kind === Object) return Object.entries(value).flatMap(([k, v]) => problems(v, `${at}.${k}`));
  const declared = declaration(kind);
  if (!declared) return [];
  const name = at || kind.name;
  return [...declared].flatMap(([field, { required, type }]) => {
    const found = value[field];
    const where = `${name}.${field}`;
    if (found === undefined || found === null) {
      const excused = ABSENT.has(`${kind.name}.${field}`) || type.endsWith("| null");
      return required && !excused ? [`${where} is ${found}`] : [];
    }
    return [...mismatch(found, type, kind, where), ...problems(found, where)];
  });
}

function mismatch(found, type, kind, where) {
  const bad = (ok) => (ok ? [] : [`${where} is ${JSON.stringify(found)}, not ${type}`]);
  const plain = type.replace(/ \| null$/, "");
  if (plain === "Date") return bad(found instanceof Date && !Number.isNaN(found.getTime()));
  if (["string", "number", "boolean"].includes(plain)) return bad(typeof found === plain);
  const list = plain.match(/^Array<(.*)>$/s);
  if (list) {
    if (!Array.isArray(found)) return bad(false);
    return found.flatMap((one, i) => mismatch(one, list[1], kind, `${where}[${i}]`));
  }
  const map = plain.match(/^\{ \[key: string\]: (.*); \}$/s);
  if (map) {
    if (typeof found !== "object" || Array.isArray(found)) return bad(false);
    const rows = Object.entries(found).filter(([, v]) => !(v === null && map[1].endsWith("| null")));
    return rows.flatMap(([key, one]) => mismatch(one, map[1], kind, `${where}.${key}`));
  }
  if (plain.endsWith("Enum")) {
    const values = require(files.get(kind))[plain];
    return bad(!values || Object.values(values).includes(found));
  }
  return plain === "any" ? [] : bad(typeof found === "object");
}

function declaration(kind) {
  if (!files.has(kind)) remember();
  const file = files.get(kind);
  if (!file) return undefined;
  if (!read.has(file)) read.set(file, parse(file, kind));
  return read.get(file);
}

function remember() {
  for (const [file, module] of Object.entries(require.cache)) {
    if (!/codegen.+[\\/]models[\\/]\w+\.js$/.test(file)) continue;
    for (const exported of Object.values(module.exports ?? {})) {
      const own = typeof exported === "function" && file.endsWith(`${exported.name}.js`);
      if (own) files.set(exported, file);
    }
  }
}

function parse(file, kind) {
  const typings = file.replace(/\.js$/, ".d.ts");
  if (!existsSync(typings)) return undefined;
  const body = readFileSync(typings, "utf8").split(`class ${kind.name} `)[1]?.split("static readonly")[0] ?? "";
  const fields = new Map();
  for (const declared of body.split(/\n {4}(?=')/).slice(1)) {
    const [, name, optional, type] = declared.match(/^'(\w+)'(\??): (.*);\s*$/s);
    fields.set(name, { required: optional === "", type: type.replace(/\s+/g, " ") });
  }
  return fields;
}
