import { expect, it } from "vitest";
import { hasFormula, markdownOf, namesIn, textOf, withoutTags } from "./docstring.ts";

const comment = `/**
 *     m ← β m + g
 *     p ← p - lr m
 *
 * With \`nesterov\` it looks ahead; as
 * \`adamStep\` and \`a b\` do.
 *
 * @throws ArgumentError for nothing.
 */`;

it("keeps a formula's indentation, and joins the lines of a paragraph", () => {
  const text = textOf(comment);
  expect(text.split("\n")[0]).toBe("    m ← β m + g");
  expect(hasFormula(text)).toBe(true);
  expect(markdownOf(text)).toBe(
    "```text\nm ← β m + g\np ← p - lr m\n```\n\nWith `nesterov` it looks ahead; as `adamStep` and `a b` do.",
  );
});

it("reads comments of one line", () => {
  expect(textOf("/** Default 0.9. */")).toBe("Default 0.9.");
  expect(hasFormula("Default 0.9.")).toBe(false);
  expect(markdownOf("")).toBe("");
});

it("ends a text at its first tag, and finds names in backticks", () => {
  expect(withoutTags("one\n\n@param x two")).toBe("one");
  expect(namesIn(textOf(comment))).toEqual(["nesterov", "adamStep"]);
});
