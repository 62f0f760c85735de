import { optimizers } from "@thalweg/core/optim";
import { expect, it } from "vitest";
import type { Workload } from "./spec.ts";
import { gptWeights } from "./weights.ts";
import { findWorkloads, isMeant, workloads } from "./workloads.ts";

const names = (found: readonly Workload[]): string[] => found.map(({ name }) => name);
const named = (name: string): Workload => findWorkloads(name)[0] as Workload;

it("has the workloads of the benchmark, each name once", () => {
  const all = names(workloads);
  expect(new Set(all).size).toBe(all.length);
  for (const name of [
    ...["matmul-256", "matmul-512", "matmul-1024", "elementwise-4m", "softmax-rows", "layernorm-rows"],
    ...["mlp-sgd", "mlp-adam", "cnn-sgd", "gpt-adamw", "dispatch", "compile"],
    ...Object.keys(optimizers).flatMap((rule) => [`optimizer-${rule}-1m`, `optimizer-${rule}-32m`]),
    ...["optimizer-adamw-many", "scaling-batch-512", "scaling-width-1024", "scaling-depth-16"],
  ]) {
    expect(all).toContain(name);
  }
});

it("measures each workload often enough to have a middle", () => {
  for (const { repeats, warmUp } of workloads) {
    expect(repeats % 2).toBe(1);
    expect(warmUp).toBeGreaterThan(0);
  }
});

it("counts operations and bytes", () => {
  expect(named("matmul-256").flops).toBe(2 * 256 * 256 * 256);
  expect(named("elementwise-4m").bytes).toBe(48_000_000);
  expect(named("softmax-rows").bytes).toBe(2 * 4 * 4096 * 512);
  expect(named("layernorm-rows").bytes).toBe(2 * 4 * 4097 * 512);
  // 784-256-128-10: forward, and back through all but the first layer's input.
  const weights = [784 * 256, 256 * 128, 128 * 10] as const;
  expect(named("mlp-sgd").flops).toBe(2 * 128 * (2 * weights[0] + 3 * weights[1] + 3 * weights[2]));
  expect(named("scaling-depth-2").flops).toBe(2 * 128 * (2 * 784 * 256 + 3 * 256 * 256 + 3 * 256 * 10));
  expect(named("cnn-sgd").flops).toBe(2 * 32 * (2 * 627_200 + 3 * (10_035_200 + 802_816 + 2560)));
  // 6 operations per weight and token are the rule of thumb; attention and the head come on top.
  const tokens = 16 * 64;
  expect(named("gpt-adamw").flops).toBe(6 * tokens * (4 * 12 * 128 ** 2 + 4 * 2 * 64 * 128 + 128 * 65));
  expect(named("dispatch").flops).toBeUndefined();
});

it("counts what an optimizer reads and writes by the state it keeps", () => {
  expect(named("optimizer-sgd-1m").bytes).toBe(12_000_000);
  expect(named("optimizer-adam-1m").bytes).toBe(28_000_000);
  expect(named("optimizer-adamW-32m").bytes).toBe(32 * 28_000_000);
  expect(named("optimizer-adamw-many").bytes).toBe(28_000_000);
});

it("finds workloads by name, by pattern and by part of a name", () => {
  expect(names(findWorkloads("optimizer-ADAMW-1m"))).toEqual(["optimizer-adamW-1m"]);
  expect(names(findWorkloads("matmul-*"))).toEqual([
    ...["matmul-256", "matmul-512", "matmul-1024", "matmul-8192-bf16", "matmul-8192"],
  ]);
  expect(names(findWorkloads("*-rows"))).toEqual(["softmax-rows", "layernorm-rows"]);
  expect(names(findWorkloads("mlp"))).toEqual(["mlp-sgd", "mlp-adam"]);
  // A whole name, not what begins with it.
  expect(names(findWorkloads("scaling-batch-1"))).toEqual(["scaling-batch-1"]);
  expect(names(findWorkloads("optimizer-sgd-32m"))).toEqual(["optimizer-sgd-32m"]);
});

it("takes a list, keeps its own order and names nothing twice", () => {
  expect(names(findWorkloads("dispatch, matmul-512,matmul*"))).toEqual([
    "matmul-256",
    "matmul-512",
    "matmul-1024",
    "dispatch",
    "matmul-8192-bf16",
    "matmul-8192",
  ]);
});

it("leaves the large updates and the lesser known rules out unless asked", () => {
  const usual = names(findWorkloads());
  expect(usual.filter((name) => name.includes("optimizer"))).toEqual([
    "optimizer-adam-1m",
    "optimizer-adamW-1m",
    "optimizer-sgd-1m",
    "optimizer-adamw-many",
  ]);
  expect(usual).toContain("compile");
  expect(usual).toContain("scaling-width-64");
});

it("leaves the large ones out unless asked", () => {
  const large = workloads.filter(({ largeBytes }) => largeBytes !== undefined);
  expect(names(large)).toEqual([
    ...["matmul-8192-bf16", "matmul-8192", "elementwise-64m", "softmax-rows-64m", "layernorm-rows-64m", "gpt-124m"],
    ...["optimizer-adamW-100m", "optimizer-adamW-100m-400", "optimizer-adamW-1b", "optimizer-adamW-1b-400"],
  ]);
  expect(findWorkloads().filter(({ largeBytes }) => largeBytes !== undefined)).toEqual([]);
  const withLarge = findWorkloads(undefined, { large: true });
  expect(withLarge).toEqual(expect.arrayContaining(large));
  expect(withLarge.length).toBe(findWorkloads().length + large.length);
  // By a whole name it is meant, by a pattern it is only matched.
  expect(isMeant("mlp-*, GPT-124m", named("gpt-124m"))).toBe(true);
  expect(isMeant("gpt-*", named("gpt-124m"))).toBe(false);
});

it("counts what the large workloads cost and hold", () => {
  expect(named("matmul-8192-bf16")).toMatchObject({
    flops: 1_099_511_627_776,
    arithmetic: "bfloat16",
    largeBytes: 402_653_184,
  });
  expect(named("matmul-8192")).toMatchObject({ flops: 2 ** 40, arithmetic: "float32" });
  expect(named("elementwise-64m").bytes).toBe(768_000_000);
  expect(named("softmax-rows-64m").bytes).toBe(512_000_000);
  expect(named("layernorm-rows-64m").bytes).toBe(512_000_000 + 2 * 4 * 512);
  for (const name of ["optimizer-adamW-1b", "optimizer-adamW-1b-400"]) {
    // Seven passes over float32: parameter, gradient and two averages read, all but the gradient written.
    expect(named(name)).toMatchObject({ bytes: 28e9, largeBytes: 16e9 });
  }
  const { spec, flops, tokens, arithmetic } = named("gpt-124m");
  expect({ tokens, arithmetic }).toEqual({ tokens: 8192, arithmetic: "bfloat16" });
  // 124 million: 6 per weight and token, the positions' apart, and attention over 1024 positions.
  const dense = 12 * 12 * 768 ** 2 + 768 * 50_304;
  expect(flops).toBe(6 * 8192 * (dense + 12 * 2 * 1024 * 768));
  if (spec.kind !== "gpt") throw new Error("expected a GPT");
  const parameters = gptWeights(spec).reduce((sum, { shape }) => sum + shape.reduce((n, m) => n * m, 1), 0);
  expect(parameters).toBe(124_475_904);
});

it("names the pattern that matches nothing", () => {
  expect(() => findWorkloads("mlp-adam,nothing-*")).toThrow(/no workload matches nothing-\*; there are matmul-256/);
  expect(() => findWorkloads("")).toThrow(/empty pattern/);
  // A dot is a dot.
  expect(() => findWorkloads("matmul.256*")).toThrow("matmul.256*");
});
