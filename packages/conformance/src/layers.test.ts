import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** Lowest first: a folder of core imports from those before it only. */
const layers = ["graph", "schedule", "backend", "compile", "runtime", "tensor", "trace", "autodiff", "optim"];
const core = resolve(dirname(fileURLToPath(import.meta.url)), "../../core/src");

test("imports inside core point down the list of layers", () => {
  const wrong: string[] = [];
  for (const layer of layers) {
    for (const name of readdirSync(join(core, layer), { recursive: true, encoding: "utf8" })) {
      if (!name.endsWith(".ts") || name.endsWith(".test.ts")) continue;
      const file = join(core, layer, name);
      for (const [, from] of readFileSync(file, "utf8").matchAll(/ from "(\.[^"]+)"/g)) {
        const target = relative(core, resolve(dirname(file), from as string)).split("/")[0] as string;
        if (layers.indexOf(target) > layers.indexOf(layer)) wrong.push(`${layer}/${name} imports ${from}`);
      }
    }
  }
  expect(wrong).toEqual([]);
});
