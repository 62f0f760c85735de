import { ArgumentError, add, ShapeError, tensor, useBackend } from "@thalweg/core";
import { type KernelKind, referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { runCases } from "../run.ts";
import { errorCases } from "./cases.ts";
import { expectError, expectValues } from "./expectError.ts";

describe("the layer errors", () => {
  it.each<[string, readonly KernelKind[] | undefined]>([
    ["every kind of kernel", undefined],
    ["loop kernels alone", ["loop"]],
  ])("passes with %s", async (_, kernels) => {
    const report = await runCases(() => referenceBackend(kernels ? { kernels } : {}), errorCases);
    expect(report.failures).toEqual([]);
    expect(report).toMatchObject({ passed: errorCases.length, notApplicable: 0 });
  });
});

describe("expectError", () => {
  const fail = () => {
    throw new ShapeError("add", "shapes differ");
  };

  it("passes the error that is expected", async () => {
    await expectError(ShapeError, "add: shapes differ", fail);
    await expectError(ShapeError, "shapes", async () => fail());
  });

  it("fails when nothing is thrown", async () => {
    await expect(expectError(ShapeError, "x", () => 1)).rejects.toThrow(
      "expected ShapeError (x), but nothing was thrown",
    );
  });

  it("fails on an error of another class", async () => {
    await expect(expectError(ArgumentError, "x", fail)).rejects.toThrow(
      "expected ArgumentError (x), got ShapeError: add: shapes differ",
    );
  });

  it("fails on another message", async () => {
    await expect(expectError(ShapeError, "sizes", fail)).rejects.toThrow(
      'ShapeError says "add: shapes differ", expected "sizes" in it',
    );
  });
});

it("expectValues tells signed zeros apart", async () => {
  useBackend(referenceBackend());
  await expectValues("sum", add(tensor([1, 2]), 1), [2, 3]);
  await expect(expectValues("zero", tensor([0]), [-0])).rejects.toThrow("zero: got [0], expected [0]");
});
