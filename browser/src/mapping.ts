/** The mapping language, evaluated: same results as `src/millstream/mapping/directives.py`. */

import { fail, type Fields, get, isArray, isFields, isText, type Json, keys, orNull, steps, text } from "./engine";

export type Directive = (argument: Json, event: Json) => Json;

/** A path or template: text, or a directive that gives text. */
const wording: Directive = (argument, event): string => {
  const found = evaluate(argument, event);
  return isText(found) ? found : fail();
};

/** The directives, by name; `language.ts` brings the rest. An unknown one throws. */
export const DIRECTIVES: Record<string, Directive> = {
  "@path": (argument, event) => get(event, steps(wording(argument, event))),
  "@template": (argument, event) =>
    wording(argument, event).replace(/{{{([^}]+)}}}|{{([^}]+)}}/g, (_: Json, three: string, two: string) => {
      const name = three || two;
      // Inside a template `$.` is no root but a key called `$`, and no event has that.
      return name.includes("$.") ? "" : text(get(event, steps(name.trim())));
    }),
  "@literal": (argument, event) => evaluate(argument, event),
  "@if": ({ exists, blank, then, else: otherwise }, event) => {
    const found = evaluate(exists || blank || fail(), event);
    // `blank` asks for not blank, as JavaScript's loose comparison with "" has it.
    const no = exists ? found == null : !found || (isArray(found) && !found.length);
    return evaluate(no ? otherwise || undefined : then, event);
  },
  "@case": ({ operator, value }, event) => {
    const found = evaluate(value || undefined, event);
    return !operator
      ? fail()
      : !isText(found)
        ? found
        : operator === "lower"
          ? found.toLowerCase()
          : operator === "upper"
            ? found.toUpperCase()
            : fail();
  },
};

/** Each field changed; what becomes undefined is left out. */
export const each = (fields: Fields, change: (value: Json) => Json): Fields => {
  const found: Fields = {};
  for (const key of keys(fields)) {
    const made = change(fields[key]);
    if (made !== undefined) found[key] = made;
  }
  return found;
};

/** The output of a mapping: what is undefined is left out of objects and is null in arrays. Throws where it fails. */
export const evaluate: Directive = (mapping, event) => {
  if (isArray(mapping)) return mapping.map((item) => orNull(evaluate(item, event)));
  if (!isFields(mapping)) return mapping;
  const directive = keys(mapping).find((key) => key[0] === "@");
  return directive
    ? (DIRECTIVES[directive] || fail)(mapping[directive], event)
    : each(mapping, (value) => evaluate(value, event));
};
