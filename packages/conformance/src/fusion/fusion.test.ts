import { matmul, neg } from "@thalweg/core";
import { type KernelKind, referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { NotApplicable } from "../case.ts";
import { runCases } from "../run.ts";
import { fusionCases } from "./cases.ts";
import { columnOf, compareFigures, figuresOf, programsOf } from "./compare.ts";
import { type Figures, figures } from "./figures.ts";
import { graph } from "./graph.ts";

describe("the layer fusion", () => {
  it.each<[string, readonly KernelKind[] | undefined]>([
    ["every kind of kernel", undefined],
    ["loop kernels alone", ["loop"]],
  ])("passes with %s", async (_, kernels) => {
    const report = await runCases(() => referenceBackend(kernels ? { kernels } : {}), fusionCases);
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({ passed: fusionCases.length, notApplicable: 0 });
  });

  it("has a case for every line of the table", () => {
    const names = new Set(fusionCases.map(({ name }) => name));
    expect(Object.keys(figures).filter((name) => !names.has(name))).toEqual([]);
  });

  it("has no figures for other mixtures of kernels", () => {
    expect(() => columnOf(referenceBackend({ kernels: ["matmul"] }))).toThrow(NotApplicable);
  });
});

describe("compareFigures", () => {
  const programs = () =>
    programsOf(
      referenceBackend(),
      graph(
        "product",
        [
          [2, 3],
          [3, 4],
        ],
        (a, b) => neg(matmul(a, b)),
      ).prepare,
    );
  const [kernels, read, written, arena]: Figures = ["1 matmul", 72, 32, 0];

  it("passes what is as expected", () => {
    expect(figuresOf(programs())).toEqual([kernels, read, written, arena]);
    expect(() => compareFigures([kernels, read, written, arena], programs())).not.toThrow();
  });

  it.each<[string, Figures]>([
    [
      "1 kernels, expected at most 0: fusion was lost\nprogram: 1 kernel (1 matmul)",
      ["0 matmul", read, written, arena],
    ],
    ["1 kernels, expected 3: improve the table", ["2 loop, 1 matmul", read, written, arena]],
    ["the kernels are 1 matmul, expected 1 loop", ["1 loop", read, written, arena]],
    ["72 bytes read (72 B), expected at most 71: fusion was lost", [kernels, 71, written, arena]],
    ["72 bytes read (72 B), expected 80: improve the table", [kernels, 80, written, arena]],
    ["32 bytes written (32 B), expected at most 31: fusion was lost", [kernels, read, 31, arena]],
    ["0 bytes of arena (0 B), expected 64: improve the table", [kernels, read, written, 64]],
  ])("says %s", (message, expected) => {
    expect(() => compareFigures(expected, programs())).toThrow(message);
  });
});
