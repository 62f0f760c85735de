import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";

import { autodiffFamilies, buildAutodiffCase } from "./golden/autodiffCases.ts";
import { buildOpCase, goldenOps } from "./golden/opCases.ts";
import { decodeNumbers } from "./golden/schema.ts";
const dir = "/work/shared/golden";
const which = process.argv[2] ?? "full";
const floats = (process.argv[3] ?? "float64") as any;
const tol = floats === "float64" ? 1e-10 : 1e-4;
const backend = which === "cpu" ? await (await import("@thalweg/cpu-js")).cpu() : which === "loop" ? referenceBackend({ kernels: ["loop"] }) : referenceBackend();
useBackend(backend as any);
let pass = 0, fail = 0;
function check(label: string, actual: ArrayLike<number>, expected: Float64Array, signed = false) {
  if (actual.length !== expected.length) throw new Error(`${label}: length ${actual.length} vs ${expected.length}`);
  expected.forEach((e, i) => {
    const a = actual[i]!;
    const close = a === e || Math.abs(a - e) <= tol * Math.max(1, Math.abs(e)) || Object.is(a, e);
    if (!close || (signed && a === 0 && e === 0 && !Object.is(a, e))) throw new Error(`${label}[${i}]: got ${a}, expected ${e}`);
  });
}
const t0 = Date.now();
for (const f of readdirSync(join(dir, "ops"))) {
  if (!f.endsWith(".json")) continue;
  const file = JSON.parse(readFileSync(join(dir, "ops", f), "utf8"));
  for (const c of file.cases) {
    if (floats === "float32" && c.float64Range) continue;
    try {
      const { outputs, gradients } = buildOpCase(file.op, c, floats);
      const signed = !c.note?.includes("sign of a zero") && !file.op.endsWith("Loss");
      outputs.forEach(({ actual, expected }, i) => check(`output ${i}`, actual.dataSync(), decodeNumbers(expected.values), signed));
      gradients.forEach(({ input, actual, expected }) => check(`grad ${input}`, actual.dataSync(), expected));
      pass++;
    } catch (e) { fail++; console.log(`FAIL ${file.op} ${c.name}: ${String((e as any).stack).split("\n").slice(0, 4).join(" | ")}`); }
  }
}
for (const f of readdirSync(join(dir, "autodiff"))) {
  if (!f.endsWith(".json")) continue;
  const file = JSON.parse(readFileSync(join(dir, "autodiff", f), "utf8"));
  for (const c of file.cases) {
    try {
      const { value, gradients, hessianVectorProducts } = buildAutodiffCase(file.family, c, floats);
      check("value", value.actual.dataSync(), Float64Array.of(value.expected));
      for (const { input, actual, expected } of gradients) check(`grad ${input}`, actual.dataSync(), expected);
      for (const { input, actual, expected } of hessianVectorProducts) check(`hvp ${input}`, actual.dataSync(), expected);
      pass++;
    } catch (e) { fail++; console.log(`FAIL ${file.family} ${c.name}: ${String((e as any).stack).split("\n").slice(0, 4).join(" | ")}`); }
  }
}
console.log({ which, floats, pass, fail, ms: Date.now() - t0 });
