/** JSON that keeps the numbers JSON lacks: options of optimizers may well be infinite. */
import { ArgumentError } from "@thalweg/core";

const tag = "$number";

/** @throws ArgumentError for what JSON cannot hold at all, such as a cycle. */
export function toJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, (_, item: unknown) =>
      typeof item === "number" && !Number.isFinite(item) ? { [tag]: String(item) } : item,
    );
  } catch (error) {
    throw new ArgumentError("toJson", (error as Error).message, { cause: error });
  }
  if (text === undefined) throw new ArgumentError("toJson", `${typeof value} is nothing that JSON holds`);
  return text;
}

/** @throws SyntaxError for what is no JSON. */
export const fromJson = (text: string): unknown =>
  JSON.parse(text, (_, item: unknown) => {
    if (typeof item !== "object" || item === null || !(tag in item)) return item;
    const number = item[tag];
    return number === "NaN" || number === "Infinity" || number === "-Infinity" ? Number(number) : item;
  });
