/** That the suite leaves nothing out, and that the interpreter, which everything is measured by, passes it. */
import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import * as core from "@thalweg/core";
import { type Backend, binaryOps, referenceBackend, unaryOps } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { agreementCases } from "./agreementCases.ts";
import { derivativeCases } from "./autodiff/cases.ts";
import { differentiables, withoutDerivatives } from "./autodiff/differentiable.ts";
import type { Case } from "./case.ts";
import { notDifferentiable } from "./golden/differentiable.ts";
import { goldenOps } from "./golden/opCases.ts";
import { builtInGolden } from "./node.ts";
import { notInTable, operationCases, operations } from "./ops/cases.ts";
import { randomCases } from "./random/cases.ts";
import { runCases } from "./run.ts";
import { tolerances } from "./tolerances.ts";

const goldenNames = readdirSync(fileURLToPath(new URL("../golden/ops", import.meta.url)))
  .filter((name) => name.endsWith(".json"))
  .map((name) => name.slice(0, -".json".length));
const tableNames = new Set(operations.map(({ op }) => op));
const differentiated = new Set(differentiables.map(({ op }) => op));

/** Exports of core that are not of its tensor layer. */
const elsewhere = new Set([
  ..."grad valueAndGrad hvp jvp vjp compile explain guard onRun uniformScalar".split(" "),
  ..."currentBackend useBackend isFloat promoteTypes".split(" "),
  ...Object.keys(core).filter((name) => name.endsWith("Error")),
]);

describe("the suite", () => {
  it("has a call and golden vectors for every golden operation", () => {
    expect(Object.keys(goldenOps).sort()).toEqual(goldenNames.sort());
  });

  it("has a tolerance for every operation, and for nothing else", () => {
    // The kernels layer goes by the names of scalar operations.
    const known = new Set<string>([...goldenNames, ...tableNames, ...differentiated, ...unaryOps, ...binaryOps]);
    expect([...tolerances.keys()].sort()).toEqual([...known].sort());
    for (const { reason } of tolerances.values()) expect(reason).not.toBe("");
  });

  it("has every operation of core in its table, or a reason why not", () => {
    const tensorLayer = Object.keys(core).filter((name) => !elsewhere.has(name));
    const covered = new Set([...tableNames, ...Object.keys(notInTable)]);
    expect(tensorLayer.filter((name) => !covered.has(name))).toEqual([]);
    expect([...covered].filter((name) => !(name in core))).toEqual([]);
    expect([...tableNames].filter((name) => name in notInTable)).toEqual([]);
    expect(goldenNames.filter((name) => !tableNames.has(name))).toEqual([]);
  });

  it("differentiates every operation that has derivatives", () => {
    const covered = new Set([...differentiated, ...withoutDerivatives, ...notDifferentiable]);
    expect([...tableNames].filter((op) => !covered.has(op))).toEqual([]);
    expect([...differentiated].filter((op) => withoutDerivatives.has(op) || notDifferentiable.has(op))).toEqual([]);
  });
});

const layers: readonly (readonly [string, readonly Case[]])[] = [
  ["operations", operationCases],
  ["derivatives", derivativeCases],
  ["random numbers", randomCases],
];

describe.each<[string, () => Backend]>([
  ["the interpreter", () => referenceBackend()],
  ["the interpreter with loop kernels alone", () => referenceBackend({ kernels: ["loop"] })],
])("%s", (_name, create) => {
  it.each(layers)(
    "passes %s",
    async (_layer, cases) => {
      const { failures, passed } = await runCases(create, cases);
      expect(failures).toEqual([]);
      expect(passed).toBe(cases.length);
    },
    120_000,
  );
});

describe("a backend without float64 that cannot block", () => {
  it("is asked for nothing it lacks", async () => {
    const create = (): Backend => {
      const { readSync: _, ...reference } = referenceBackend({ rounding: true });
      const dtypes = new Set(["float32", "int32", "uint32", "bool"] as const);
      return { ...reference, capabilities: { ...reference.capabilities, blocking: false, dtypes } };
    };
    const cases = [...operationCases, ...derivativeCases, ...randomCases];
    const { failures, passed, notApplicable } = await runCases(create, cases);
    expect(failures).toEqual([]);
    expect(passed).toBeGreaterThan(notApplicable / 2);
  }, 120_000);
});

describe("agreement with the interpreter", () => {
  const golden = builtInGolden().filter(({ path }) => path === "ops/matmul.json");

  it("passes two of a kind", async () => {
    expect(await runCases(() => referenceBackend(), agreementCases(golden))).toMatchObject({ passed: 1, failed: 0 });
  });

  it("names the case and the kernel's buffer where they part", async () => {
    const create = (): Backend => {
      const reference = referenceBackend();
      const compile: Backend["compile"] = (program) =>
        reference.compile({
          ...program,
          kernels: program.kernels.map((kernel) =>
            kernel.kind === "matmul" ? { ...kernel, k: kernel.k - 1 } : kernel,
          ),
        });
      return { ...reference, compile };
    };
    const { failures } = await runCases(create, agreementCases(golden));
    expect(failures[0]?.message).toMatch(/^ops\/matmul .*: output .*, element \d+: .* on reference, .* on reference\n/);
  });
});
