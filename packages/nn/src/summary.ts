/** What a model is made of. */
import type { AnyModule } from "./module.ts";

/** Number of trainable scalars. */
export const parameterCount = (model: AnyModule): number =>
  model.parameters().reduce((count, parameter) => count + parameter.size, 0);

const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ",");

/**
 * A table of the model: one row per parameter and buffer with its name, the type of its module, shape and count
 * (buffers in brackets, as they are not trained), and the totals.
 */
export function summary(model: AnyModule): string {
  const rows: string[][] = [];
  const seen = new Set<unknown>();
  let buffers = 0;
  for (const [path, below] of model.modules()) {
    for (const [key, parameter] of Object.entries(below.own())) {
      if (seen.has(parameter)) continue;
      seen.add(parameter);
      const count = grouped(parameter.size);
      const name = path === "" ? key : `${path}.${key}`;
      rows.push([name, below.type, `[${parameter.shape.join(", ")}]`, parameter.trainable ? count : `(${count})`]);
      if (!parameter.trainable) buffers += parameter.size;
    }
  }
  const header = ["name", "type", "shape", "parameters"];
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] as string).length)),
  );
  const format = (row: readonly string[]): string =>
    row
      .map((cell, column) =>
        column === header.length - 1 ? cell.padStart(widths[column] as number) : cell.padEnd(widths[column] as number),
      )
      .join("  ");
  const rule = widths.map((width) => "─".repeat(width)).join("──");
  const totals = [
    `${grouped(parameterCount(model))} parameters`,
    ...(buffers > 0 ? [`${grouped(buffers)} in buffers`] : []),
  ];
  return [format(header), rule, ...rows.map(format), rule, totals.join(", ")].join("\n");
}
