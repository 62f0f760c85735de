import { referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { runCases } from "../run.ts";
import { goldenCases } from "./cases.ts";
import { type GoldenFile, parseGoldenFile } from "./files.ts";

const parse = (gradient: unknown): GoldenFile | undefined =>
  parseGoldenFile(
    "sparse.json",
    JSON.stringify({
      schema: "thalweg/golden-optimizer/1",
      optimizer: "sparseAdam",
      cases: [
        {
          name: "oneRow",
          options: { lr: 0.5, eps: 0 },
          parameters: [{ name: "table", shape: [3, 2], values: [1, 2, 3, 4, 5, 6] }],
          gradients: [[gradient]],
          expected: [{ step: 1, parameters: [[1, 2, 3.5, 3.5, 5, 6]] }],
        },
      ],
    }),
  );

describe("row-sparse gradients of golden files", () => {
  it("are run, their rows added up", async () => {
    const file = parse({ indices: [1, 1], values: [-3, 1, 1, 2] });
    const report = await runCases(() => referenceBackend(), goldenCases(file ? [file] : []));
    expect(report.failures).toEqual([]);
    expect(report.passed).toBe(2);
  });

  it.each([
    [{ indices: [3], values: [1, 1] }, "gradients[0][0].indices: 3 is none of 3 rows"],
    [{ indices: [0.5], values: [1, 1] }, "gradients[0][0].indices: 0.5 is none of 3 rows"],
    [{ indices: [0, 1], values: [1, 1] }, "gradients[0][0].values: got 2 numbers, expected 4"],
    [{ values: [1, 1] }, "gradients[0][0].indices: expected a list"],
    [[1, 2], "gradients[0][0]: got 2 numbers, expected 6"],
  ])("must fit: %j", (gradient, message) => {
    expect(parse(gradient)).toMatchObject({ layer: "invalid", message: expect.stringContaining(message) });
  });
});
