/** cpu-js against everything: golden vectors, differences, and the interpreter on the same Programs. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { type Tensor, useBackend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { cpu } from "@thalweg/cpu-js";
import { describe, expect, it } from "vitest";
import { inAgreement } from "./agreement.ts";
import { differentiableCases } from "./golden/differentiable.ts";
import { finiteDifferences } from "./golden/finiteDifferences.ts";
import { goldenOps } from "./golden/opCases.ts";
import { runGolden } from "./golden/runGolden.ts";
import { tolerances } from "./tolerances.ts";

// THALWEG_GOLDEN: another folder of golden files.
const golden = process.env.THALWEG_GOLDEN ?? fileURLToPath(new URL("../golden", import.meta.url));

const failures = ({ failures }: Awaited<ReturnType<typeof runGolden>>): string[] =>
  failures.map(({ case: name, file, message }) => `${file}: ${name}: ${message}`);

describe("cpu-js", () => {
  it("passes every golden case in float64 and float32", async () => {
    const report = await runGolden(await cpu(), golden);
    expect(failures(report)).toEqual([]);
    expect(report.passed).toBeGreaterThan(800);
    expect(report.layers.autodiff.passed).toBeGreaterThanOrEqual(2 * 10);
  });

  it("agrees with the interpreter on the Programs of all of them", async () => {
    const reference = referenceBackend({ rounding: true });
    const report = await runGolden(inAgreement(await cpu(), reference), golden);
    expect(failures(report)).toEqual([]);
  });

  it.each(differentiableCases.map((checked) => [checked.op, checked] as const))(
    "differentiates %s as differences do",
    async (_op, checked) => {
      useBackend(await cpu());
      const read = (tensors: readonly Tensor[]) => tensors.map((tensor) => tensor.dataSync());
      for (const { input, byRule, byDifferences } of finiteDifferences(checked, read)) {
        expect(byRule.length).toBe(byDifferences.length);
        byDifferences.forEach((expected, i) => {
          const error = Math.abs((byRule[i] as number) - expected) / Math.max(1, Math.abs(expected));
          if (!(error < 1e-8)) expect.fail(`${input}[${i}]: by rule ${byRule[i]}, by differences ${expected}`);
        });
      }
    },
  );
});

describe("the interpreter", () => {
  it.each([
    ["with every kind of kernel", () => referenceBackend()],
    ["with loop kernels alone", () => referenceBackend({ kernels: ["loop"] })],
  ])("passes every golden case %s", async (_name, backend) => {
    expect(failures(await runGolden(backend(), golden))).toEqual([]);
  });
});

describe("the suite", () => {
  it("has a call, a tolerance and golden vectors for every operation", () => {
    const files = readdirSync(fileURLToPath(new URL("../golden/ops", import.meta.url)));
    const ops = files.filter((name) => name.endsWith(".json")).map((name) => name.slice(0, -".json".length));
    expect(Object.keys(goldenOps).sort()).toEqual(ops.sort());
    expect([...tolerances.keys()].sort()).toEqual(ops);
  });
});
