import type { AnyNamedOptimizer } from "@thalweg/core/optim";
import { describe, expect, it } from "vitest";
import { firstSentence, indexPage, page, type Subject, shortcomings, valueText } from "./page.ts";

const rule = { name: "plain", lr: 1e-4, defaults: { momentum: 0.9 } };
const subject: Subject = {
  name: "plain",
  doc: {
    text: "Plain descent, as in torch.optim; lr 1e-4. For those who want to know what a gradient does. Keeps one tensor.",
    header: "Plain descent. Cauchy 1847, https://example.org/1847.",
    file: "packages/core/src/optim/plain.ts",
    meanings: { torch: { formula: "    p ← p - lr g", options: [{ name: "momentum", text: "Factor. Default 0.9." }] } },
    defaults: {},
  },
  rules: { torch: rule } as unknown as AnyNamedOptimizer["rules"],
  costs: { torch: { matrix: ["`buffer` [m, n]"], vector: ["`buffer` [m]"], kernels: 1 } },
};

it("writes formula, options with defaults, costs and source", () => {
  const text = page(subject);
  for (const part of [
    "# plain\n\nPlain descent, as in torch.optim",
    "## Formula\n\n```text\np ← p - lr g\n```",
    "| `lr` | 1e-4 | Learning rate: a number or a schedule. |\n| `momentum` | 0.9 | Factor. Default 0.9. |",
    "## Costs\n\nState: `buffer` [m, n]. Kernels of an update of two matrices and two vectors: 1.",
    "https://example.org/1847",
    "[packages/core/src/optim/plain.ts](../../packages/core/src/optim/plain.ts)",
  ]) {
    expect(text).toContain(part);
  }
  expect(indexPage([subject], [])).toContain(
    "| [plain](plain.md) | Plain descent, as in torch.optim. | torch | `buffer` [m, n] | 1 |",
  );
});

describe("shortcomings", () => {
  it("finds none where all is said", () => {
    expect(shortcomings(subject)).toEqual([]);
  });

  it("names rule, file and what is missing", () => {
    const { doc } = subject;
    const poor: Subject = {
      ...subject,
      doc: { ...doc, text: "Plain.", header: "", meanings: { torch: { formula: "none", options: [] } } },
    };
    expect(shortcomings(poor)).toEqual(
      [
        "its docstring does not say what it is and when to use it",
        "no source: neither the file's header nor its docstring names a paper or has a link",
        "convention torch: no formula (an indented block) in the rule's docstring",
        "convention torch: option momentum is missing from its interface",
      ].map((what) => `plain (packages/core/src/optim/plain.ts): ${what}`),
    );
    const silent: Subject = {
      ...subject,
      doc: { ...doc, meanings: { torch: { formula: "    p", options: [{ name: "momentum", text: "Factor." }] } } },
    };
    expect(shortcomings(silent)).toEqual([
      "plain (packages/core/src/optim/plain.ts): convention torch: the text of option momentum names no default",
    ]);
  });
});

it("writes values as one would, and sentences to their end", () => {
  expect([[0.9, 0.999], 1e-8, 0, null, "mean", 0.05].map(valueText)).toEqual([
    "[0.9, 0.999]",
    "1e-8",
    "0",
    "null",
    '"mean"',
    "0.05",
  ]);
  expect(firstSentence("Muon, after Jordan et al.: momentum.")).toBe("Muon, after Jordan et al.");
  expect(firstSentence("At every step")).toBe("At every step …");
});
