/** Text that is HTML already, as `html` makes it: everything put into it was escaped. */
export interface Markup {
  readonly markup: string;
}

type Content = Markup | string | number | false | undefined | readonly Content[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

export const escapeText = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? "");

function markupOf(content: Content): string {
  if (content === undefined || content === false) return "";
  if (typeof content === "string") return escapeText(content);
  if (typeof content === "number") return String(content);
  return "markup" in content ? content.markup : content.map(markupOf).join("");
}

/** A template of HTML. What is put into it is escaped, unless it is markup already; of lists, every part. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  const text = parts.reduce((before, part, i) => before + markupOf(contents[i - 1]) + part);
  return { markup: text };
}

/** Takes text as HTML unescaped: only for what was not put together from a report's names. */
export const raw = (markup: string): Markup => ({ markup });
