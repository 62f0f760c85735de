/** The text of a documentation comment. */

/** What stands between the marks of a comment, line by line, with the indentation that formulas have. */
export function textOf(comment: string): string {
  const inner = comment.trim().slice("/**".length, -"*/".length);
  const lines = inner.split("\n").map((line, i) => {
    if (i === 0) return line.trim();
    const bare = line.trimStart();
    if (!bare.startsWith("*")) return bare.trimEnd();
    return (bare.startsWith("* ") ? bare.slice(2) : bare.slice(1)).trimEnd();
  });
  return lines.join("\n").replace(/^\n+|\n+$/g, "");
}

const isIndented = (line: string): boolean => line.startsWith("    ");

/** The same without what follows the first tag: `@throws`, `@param`. */
export const withoutTags = (text: string): string => {
  const lines = text.split("\n");
  const tag = lines.findIndex((line) => line.startsWith("@"));
  return (tag < 0 ? lines : lines.slice(0, tag)).join("\n").trimEnd();
};

/** Whether any of it is indented, as formulas are. */
export const hasFormula = (text: string): boolean => text.split("\n").some(isIndented);

/** As Markdown: the lines of a paragraph joined, and formulas kept as they are. */
export function markdownOf(text: string): string {
  const blocks: string[] = [];
  let paragraph: string[] = [];
  let formula: string[] = [];
  const end = (): void => {
    if (paragraph.length > 0) blocks.push(paragraph.join(" "));
    if (formula.length > 0) blocks.push(["```text", ...formula.map((line) => line.slice(4)), "```"].join("\n"));
    [paragraph, formula] = [[], []];
  };
  for (const line of withoutTags(text).split("\n")) {
    if (isIndented(line)) {
      if (paragraph.length > 0) end();
      formula.push(line);
    } else if (line.trim() === "") {
      end();
    } else {
      if (formula.length > 0) end();
      paragraph.push(line.trim());
    }
  }
  end();
  return blocks.join("\n\n");
}

/** Names in backticks that could be those of functions. */
export const namesIn = (text: string): string[] =>
  text
    .split("`")
    .filter((_, i) => i % 2 === 1)
    .filter((name) => /^[A-Za-z]\w*$/.test(name));
