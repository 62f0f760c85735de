import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Backend } from "@thalweg/core";
import { referenceBackend } from "@thalweg/core/backend";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { goldenCasesBelow } from "../node.ts";
import { type RunOptions, runCases } from "../run.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "golden-"));
});
afterEach(() => rmSync(directory, { recursive: true }));

function write(path: string, content: unknown): void {
  mkdirSync(join(directory, path, ".."), { recursive: true });
  writeFileSync(join(directory, path), typeof content === "string" ? content : JSON.stringify(content));
}

const add = (more: object = {}, b = [10, 20]) => ({
  name: "two",
  attributes: {},
  inputs: [
    { name: "a", shape: [2], dtype: "float64", values: [1, 2] },
    { name: "b", shape: [2], dtype: "float64", values: b },
  ],
  output: { shape: [2], dtype: "float64", values: [11, 22] },
  ...more,
});
const file = (cases: unknown, op = "add") => ({ schema: "thalweg/golden-op/1", op, cases });
const run = (options?: RunOptions, create: () => Backend = () => referenceBackend()) =>
  runCases(create, goldenCasesBelow(directory), options);

describe("goldenCasesBelow", () => {
  it("runs what is found, in both dtypes, with gradients", async () => {
    write(
      "deep/down/add.json",
      file([
        add({
          outputGradient: [1, 2],
          inputGradients: [
            [1, 2],
            [1, 2],
          ],
        }),
      ]),
    );
    write("notes.json", { unrelated: true });
    write("README.md", "# no JSON");
    const report = await run();
    expect(report).toMatchObject({ backend: "reference", passed: 2, failed: 0, expectedFailures: 0, failures: [] });
    expect(report.layers.ops).toEqual({ passed: 2, failed: 0, expectedFailures: 0, notApplicable: 0 });
  });

  it.each([
    [
      "values",
      { output: { shape: [2], dtype: "float64", values: [11, 22.0001] } },
      /output 0, element 1: got 22, expected 22\.0001/,
    ],
    ["shapes", { output: { shape: [1, 2], dtype: "float64", values: [11, 22] } }, /got shape \[2\], expected \[1,2\]/],
    ["dtypes", { output: { shape: [2], dtype: "int32", values: [11, 22] } }, /got dtype float64, expected int32/],
    [
      "gradients",
      {
        outputGradient: [1, 2],
        inputGradients: [
          [1, 2],
          [1, 3],
        ],
      },
      /gradient by b, element 1: got 2, expected 3/,
    ],
    ["NaN", { output: { shape: [2], dtype: "float64", values: ["NaN", 22] } }, /got 11, expected NaN/],
  ])("finds wrong %s", async (_what, wrong, message) => {
    write("add.json", file([add(wrong), add()]));
    const report = await run();
    expect([report.passed, report.failed]).toEqual([2, 2]);
    expect(report.failures[0]).toMatchObject({ case: "add two (float64)", file: "add.json" });
    expect(report.failures[0]?.message).toMatch(message);
    expect(report.failures[1]?.case).toBe("add two (float32)");
  });

  it("tells zeros apart where the sign matters", async () => {
    const zero = (values: number[], more: object = {}) => ({
      name: "zero",
      attributes: {},
      inputs: [{ name: "x", shape: [1], dtype: "float64", values: [0] }],
      output: { shape: [1], dtype: "float64", values },
      ...more,
    });
    // JSON.stringify writes -0 as 0.
    const text = JSON.stringify(file([zero([12345])], "neg")).replace("12345", "-0.0");
    write("neg.json", text);
    expect((await run()).failed).toBe(0);
    write("neg.json", JSON.stringify(file([zero([0])], "neg")));
    expect((await run()).failures[0]?.message).toBe("output 0, element 0: got -0, expected 0");
    write("neg.json", JSON.stringify(file([zero([0], { note: "The sign of a zero does not matter." })], "neg")));
    expect((await run()).failed).toBe(0);
  });

  it("fails for operations, families and files it does not understand", async () => {
    write("a.json", file([add()], "frobnicate"));
    write("b.json", {
      schema: "thalweg/golden-autodiff/1",
      family: "nonsense",
      cases: [
        { name: "x", expression: "x", inputs: [], value: 0, gradients: [], vectors: [], hessianVectorProducts: [] },
      ],
    });
    write("c.json", "{");
    write("d.json", file([add({ inputs: [{ name: "a", shape: [3], dtype: "float64", values: [1, 2] }] })]));
    write("e.json", file([{ ...add(), name: undefined }]));
    const trajectory = { name: "x", options: {}, parameters: [], gradients: [], expected: [] };
    write("f.json", { schema: "thalweg/golden-optimizer/1", optimizer: "nonsense", cases: [trajectory] });
    write("g.json", {
      schema: "thalweg/golden-optimizer/1",
      optimizer: "sgd",
      convention: "nobody",
      cases: [trajectory],
    });
    write("h.json", {
      schema: "thalweg/golden-schedule/1",
      schedule: "nonsense",
      cases: [{ name: "x", options: {}, lr: [1] }],
    });
    write("i.json", { schema: "thalweg/golden-transform/1", transform: "nonsense", cases: [trajectory] });
    write("j.json", file([]));
    write("k.json", { schema: "thalweg/golden-other/1", cases: [] });
    const { passed, failures } = await run();
    expect(passed).toBe(0);
    const found = [...new Set(failures.map(({ file: path, message }) => `${path}: ${message}`))].sort();
    expect(found).toEqual([
      "a.json: the operation frobnicate is not known",
      "b.json: the family nonsense is not known",
      expect.stringMatching(/^c\.json: not JSON/),
      "d.json: breaks thalweg/golden-op/1: case two.inputs[0].values: got 2 numbers, expected 3",
      "e.json: breaks thalweg/golden-op/1: cases[0].name: expected a name",
      "f.json: the optimizer nonsense is not known",
      "g.json: the optimizer sgd with the conventions of nobody is not known",
      "h.json: the schedule nonsense is not known",
      "i.json: the transform nonsense is not known",
      "j.json: breaks thalweg/golden-op/1: cases: there are none",
      expect.stringMatching(/^k\.json: the schema thalweg\/golden-other\/1 is not known/),
    ]);
  });

  it("counts what does not apply", async () => {
    write("add.json", file([add({ float64Range: true })]));
    expect((await run()).layers.ops).toEqual({ passed: 1, failed: 0, expectedFailures: 0, notApplicable: 1 });
    const reference = referenceBackend();
    const single: Backend = {
      ...reference,
      capabilities: { ...reference.capabilities, dtypes: new Set(["float32", "int32", "bool"]) },
    };
    expect((await run({}, () => single)).layers.ops).toMatchObject({ passed: 0, failed: 0, notApplicable: 2 });
  });

  it("needs a folder with golden files", async () => {
    expect(() => goldenCasesBelow(join(directory, "nowhere"))).toThrow(/there is no folder .*nowhere/);
    write("notes.json", { unrelated: true });
    expect(() => goldenCasesBelow(directory)).toThrow(/there are no golden files below/);
  });

  it("asks no float32 of a rule whose gradients have squares beyond it", async () => {
    const trajectory = {
      name: "huge",
      options: { lr: 2 ** -70 },
      parameters: [{ name: "w", shape: [1], values: [3] }],
      gradients: [[[2 ** 70]]],
      expected: [{ step: 1, parameters: [[2]] }],
    };
    write("sgd.json", { schema: "thalweg/golden-optimizer/1", optimizer: "sgd", cases: [trajectory] });
    expect((await run()).layers.optimizers).toMatchObject({ passed: 1, failed: 0, notApplicable: 1 });
  });

  it("takes inputs float32 cannot hold as what they are rounded to", async () => {
    // Cancels: 0.1 in float32 is 1.5e-9 off, a hundred times the difference that is left.
    const values = [0.1, 0.1 + 1e-10];
    const output = {
      shape: [2],
      dtype: "float64",
      values: [values[0] as number, values[1] as number].map((v) => v - 0.1),
    };
    write(
      "sub.json",
      file(
        [
          add({
            inputs: [
              { name: "a", shape: [2], dtype: "float64", values },
              { name: "b", shape: [2], dtype: "float64", values: [0.1, 0.1] },
            ],
            output,
          }),
        ],
        "sub",
      ),
    );
    expect(await run()).toMatchObject({ passed: 2, failed: 0 });
  });

  it("runs only what is asked for", async () => {
    write("add.json", file([add(), { ...add(), name: "other" }]));
    write("sub.json", file([{ ...add(), name: "wrong" }], "sub"));
    expect(await run({ only: "add other" })).toMatchObject({ passed: 2, failed: 0 });
    expect(await run({ only: "sub" })).toMatchObject({ passed: 0, failed: 2 });
    expect(await run({ only: "ops/*(float32)" })).toMatchObject({ passed: 2, failed: 1 });
    await expect(run({ only: "mul" })).rejects.toThrow("no case is named by mul");
  });
});
