import { currentBackend } from "@thalweg/core";
import { type Backend, referenceBackend } from "@thalweg/core/backend";
import { describe, expect, it } from "vitest";
import { type Case, matches, NotApplicable } from "./case.ts";
import { needBlocking, needDTypes, needKernels } from "./needs.ts";
import { conformanceTests } from "./node.ts";
import { runCases } from "./run.ts";

const passes = (name: string, layer: Case["layer"] = "ops"): Case => ({ layer, name, run: () => {} });
const fails = (name: string, layer: Case["layer"] = "ops"): Case => ({
  layer,
  name,
  run: () => Promise.reject(new Error(`${name} is wrong`)),
});
const limited: Case = {
  layer: "kernels",
  name: "limited",
  run() {
    throw new NotApplicable("for want of something");
  },
};
const expecting = (...expectedFailures: { case: string; reason: string }[]): Backend => ({
  ...referenceBackend(),
  expectedFailures,
});

describe("runCases", () => {
  it("counts layer by layer", async () => {
    const report = await runCases(() => referenceBackend(), [passes("a"), fails("b"), limited, passes("c", "memory")]);
    expect(report).toEqual({
      backend: "reference",
      passed: 2,
      failed: 1,
      expectedFailures: 0,
      notApplicable: 1,
      layers: {
        kernels: { passed: 0, failed: 0, expectedFailures: 0, notApplicable: 1 },
        ops: { passed: 1, failed: 1, expectedFailures: 0, notApplicable: 0 },
        memory: { passed: 1, failed: 0, expectedFailures: 0, notApplicable: 0 },
      },
      failures: [{ layer: "ops", case: "b", message: "b is wrong" }],
    });
  });

  it("holds a backend to the failures it expects", async () => {
    const reason = "no such circuit";
    const report = await runCases(
      () => expecting({ case: "ops/b*", reason }, { case: "c", reason }),
      [fails("b1"), fails("b2"), passes("c"), fails("d")],
    );
    expect(report).toMatchObject({ passed: 0, failed: 2, expectedFailures: 2 });
    expect(report.failures.map(({ message }) => message)).toEqual([
      "passed, though reference expects it to fail: no such circuit",
      "d is wrong",
    ]);
  });

  it("finds expectations that are out of date when the suite is whole", async () => {
    const create = () => expecting({ case: "ops/gone", reason: "once" });
    expect(await runCases(create, [passes("a")])).toMatchObject({ failed: 0 });
    expect(await runCases(create, [passes("a")], { wholeSuite: true })).toMatchObject({
      failed: 1,
      failures: [{ case: "ops/gone", message: "an expected failure that names no case (once)" }],
    });
  });

  it("gives a case the backend, and others that it cleans up", async () => {
    let disposed = 0;
    const create = (): Backend => ({ ...referenceBackend(), dispose: () => disposed++ });
    const asks: Case = {
      layer: "determinism",
      name: "asks",
      async run({ backend, another }) {
        expect(currentBackend()).toBe(backend);
        expect(await another()).not.toBe(backend);
        await another({ threads: 2 });
      },
    };
    expect(await runCases(create, [asks])).toMatchObject({ passed: 1 });
    expect(disposed).toBe(2);
    const single = referenceBackend();
    expect(await runCases(() => single, [asks])).toMatchObject({ notApplicable: 1 });
  });

  it("stops a layer at its first failure when told to", async () => {
    const report = await runCases(() => referenceBackend(), [fails("a"), fails("b"), fails("c", "memory")], {
      bail: true,
    });
    expect(report.failures.map((failure) => failure.case)).toEqual(["a", "c"]);
  });
});

describe("patterns", () => {
  it.each([
    ["mul", true],
    ["ops/matmul", true],
    ["matmul.json", true],
    ["ops/*", true],
    ["*float32)", true],
    ["ops/*(float32)*", true],
    ["kernels/*", false],
    ["mat*", false],
    ["conv", false],
  ])("%s", (pattern, expected) => {
    const tested = { ...passes("matmul batched (float32)"), file: "ops/matmul.json" };
    expect(matches(pattern, tested)).toBe(expected);
  });
});

it("needs what a backend has", () => {
  const { capabilities, ...rest } = referenceBackend({ kernels: ["loop"] });
  const poor: Backend = { ...rest, capabilities: { ...capabilities, dtypes: new Set(["float32"]), blocking: false } };
  expect(() => needDTypes(poor, "float32")).not.toThrow();
  expect(() => needDTypes(poor, "float32", "float64")).toThrow(new NotApplicable("reference has no float64"));
  expect(() => needKernels(poor, "loop", "matmul")).toThrow("reference does not compile matmul kernels");
  expect(() => needBlocking(poor)).toThrow("reference cannot block");
});

describe("conformanceTests", () => {
  it("declares one test per case with whatever runner there is", async () => {
    const tests = new Map<string, (context?: unknown) => Promise<void>>();
    let group = "";
    conformanceTests(
      () => expecting({ case: "gone", reason: "once" }),
      {
        describe(name, body) {
          group = name;
          body();
        },
        it: (name, body) => tests.set(`${group} ${name}`, body),
      },
      [passes("a"), fails("b"), limited],
    );
    expect([...tests.keys()]).toEqual([
      "conformance: ops a",
      "conformance: ops b",
      "conformance: kernels limited",
      "conformance: expected failures name cases that there are",
    ]);
    await tests.get("conformance: ops a")?.();
    await expect(tests.get("conformance: ops b")?.()).rejects.toThrow("b is wrong");
    let skipped = "";
    await tests.get("conformance: kernels limited")?.({ skip: (reason: string) => (skipped = reason) });
    expect(skipped).toBe("for want of something");
    await expect(tests.get("conformance: expected failures name cases that there are")?.()).rejects.toThrow("gone");
  });
});
