import { expect, it } from "vitest";
import type { BenchReport } from "../benchReport.ts";
import { aboutBoth, isScaling, scalingFamilies } from "./scaling.ts";

it("puts the workloads of a family in the order of their sizes", () => {
  const names = [
    "scaling-batch-8",
    "matmul-256",
    "scaling-gpt-depth-2",
    "scaling-batch-1",
    "scaling-batch-4m",
    "scaling-batch-8",
  ];
  const results = names.map((workload) => ({ workload, runner: "a", medianMs: 1, p10Ms: 1, p90Ms: 1 }));
  expect(scalingFamilies({ results } as unknown as BenchReport)).toEqual([
    {
      name: "batch",
      grows: "batch",
      members: [
        { workload: "scaling-batch-1", size: 1 },
        { workload: "scaling-batch-8", size: 8 },
        { workload: "scaling-batch-4m", size: 4e6 },
      ],
    },
    { name: "gpt-depth", grows: "depth", members: [{ workload: "scaling-gpt-depth-2", size: 2 }] },
  ]);
  expect(names.filter(isScaling)).toHaveLength(5);
});

it("says what two descriptions have in common once", () => {
  expect(aboutBoth("an MLP, batch 1, Adam", "an MLP, batch 512, Adam")).toBe("an MLP, batch 1 … 512, Adam");
  expect(aboutBoth("batch 1", "batch 512")).toBe("batch 1 … 512");
  expect(aboutBoth("one", "one")).toBe("one");
  expect(aboutBoth("one", "another")).toBe("one … another");
  expect(aboutBoth("a step", "a long step")).toBe("a … long step");
});
