/** The rest of the language: directives and functions that few mappings and triggers use. */

import { assign, fail, flatten, get, isArray, isFields, isText, type Json, keys, orNull, steps, text } from "./engine";
import { DIRECTIVES, each, evaluate } from "./mapping";
import { FUNCTIONS, ofText, type Test, texts } from "./trigger";

/** Text as a regular expression that means the text itself. */
const escaped = (pattern: string): string => pattern.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** `*` is any text, `?` one character, a backslash takes the meaning away. */
const glob = (pattern: string): string =>
  pattern.replace(/\\([^])|[^]/gu, (one, plain) =>
    one === "*" ? "[^]*?" : one === "?" ? "[^]" : escaped(plain || one),
  );

const lower = (value: string): string => value.toLowerCase();

// The server's classes of characters: letters and numerals beyond ASCII are a word of their own.
const WORD = /[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\p{Nd}+|([^\P{L}a-zA-Z]|\p{Nl}|\p{No})+/gu;
const words = (joint: string, change: Test): Test =>
  ofText((value) => (value.match(WORD) || []).map((word: string) => change(word)).join(joint));

assign(FUNCTIONS, {
  match: texts((a, b) => RegExp(`^${glob(b)}$`, "u").test(a)),
  snakecase: words("_", lower),
  kebabcase: words("-", lower),
  titlecase: words(" ", ([first, ...rest]) => first.toUpperCase() + lower(rest.join(""))),
});

const withoutNulls = (value: Json): Json =>
  value === null ? undefined : isFields(value) ? each(value, withoutNulls) : value;

assign(DIRECTIVES, {
  "@replace"(argument: Json, event: Json) {
    if (!argument.value) return;
    const found = evaluate(argument.value, event);
    const flags = (argument.global === false ? "u" : "gu") + (argument.ignorecase ? "i" : "");
    const one = (whole: string, pattern: Json, replacement: Json): string =>
      isText(pattern) && pattern ? whole.replace(RegExp(escaped(pattern), flags), replacement || "") : whole;
    return found == null || typeof found === "object"
      ? ""
      : one(one(text(found), argument.pattern, argument.replacement), argument.pattern2, argument.replacement2);
  },
  "@arrayPath"([root, shape]: Json, event: Json) {
    const found = isText(root) ? get(event, steps(root)) : evaluate(root, event);
    if (!isFields(shape) || !keys(shape).length) return found;
    const items = isFields(found) ? [found] : found;
    return isArray(items) ? items.map((item) => orNull(evaluate(shape, item))) : items;
  },
  "@flatten"({ value, separator, omitArrays }: Json, event: Json) {
    const found = evaluate(orNull(value), event);
    return !separator ? fail() : found === undefined ? {} : flatten(found, separator, omitArrays);
  },
  "@json"({ value, mode }: Json, event: Json) {
    const found = evaluate(value || fail(), event);
    if (mode === "encode") return JSON.stringify(found);
    if (mode !== "decode") return mode ? undefined : fail();
    try {
      return isText(found) ? JSON.parse(found) : found;
    } catch {
      return found;
    }
  },
  "@merge"({ objects, direction }: Json, event: Json) {
    const parts: Json[] = objects.map((part: Json) => {
      const found = evaluate(part, event);
      return isText(found) ? [...found] : found;
    });
    if (direction === "left") parts.reverse();
    return direction ? assign({}, ...parts) : fail();
  },
  "@transform": ({ apply, mapping }: Json, event: Json) => evaluate(mapping, evaluate(apply, event)),
  "@excludeWhenNull": (argument: Json, event: Json) => withoutNulls(evaluate(argument, event)),
});
