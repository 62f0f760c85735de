/** Things chosen by their names. */

const literal = (text: string): string => text.replace(/[.+?^${}()|[\]\\]/g, "\\$&");

/**
 * Those of `items` that one of the patterns, separated by commas, names: a whole name that item alone, though others may
 * begin with it; else `*` stands for any text and the whole must fit; without one, part of a name is enough.
 *
 * @throws Error for a pattern that names none; `what` is said of them.
 */
export function named<Item extends { readonly name: string }>(
  items: readonly Item[],
  pattern: string,
  what: string,
): readonly Item[] {
  const found = new Set(pattern.split(",").flatMap((part) => matching(items, part.trim(), what)));
  return items.filter((item) => found.has(item));
}

function matching<Item extends { readonly name: string }>(
  items: readonly Item[],
  pattern: string,
  what: string,
): readonly Item[] {
  const wanted = pattern.toLowerCase();
  const by = (test: (name: string) => boolean) => items.filter(({ name }) => test(name.toLowerCase()));
  let found = by((name) => name === wanted);
  if (found.length === 0 && wanted.includes("*")) {
    const expression = new RegExp(`^${wanted.split("*").map(literal).join(".*")}$`);
    found = by((name) => expression.test(name));
  } else if (found.length === 0 && wanted !== "") found = by((name) => name.includes(wanted));
  if (found.length > 0) return found;
  const names = [...new Set(items.map(({ name }) => name))].join(", ");
  throw new Error(`no ${what} matches ${pattern || "an empty pattern"}; there are ${names}`);
}
