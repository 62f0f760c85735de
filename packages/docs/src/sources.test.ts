import { expect, it } from "vitest";
import { Sources } from "./sources.ts";

it("reads docstrings, headers, options and defaults of the optimizers", () => {
  using sources = new Sources();
  const adamW = sources.read("adamW");
  expect(adamW.file).toBe("packages/core/src/optim/adam.ts");
  expect(adamW.header).toContain("https://arxiv.org/abs/1711.05101");
  expect(adamW.text).toContain("torch.optim.AdamW");
  expect(Object.keys(adamW.meanings)).toEqual(["torch", "keras", "optax"]);
  // The rule's docstring names the function that has the formula; Keras' rule is made by one.
  expect(adamW.meanings.torch?.formula).toContain("    m ← β₁ m + (1 - β₁) g");
  expect(adamW.meanings.keras?.formula).toContain("    p ← (1 - lr weightDecay) p");
  expect(adamW.meanings.torch?.options.map(({ name }) => name)).toEqual(["betas", "eps", "weightDecay", "amsgrad"]);
  expect(adamW.meanings.torch?.options[1]).toEqual({ name: "eps", text: "Added to the corrected root. Default 1e-8." });

  const lookahead = sources.read("lookahead");
  expect(lookahead.defaults).toEqual({ k: "5", alpha: "0.5" });
  expect(lookahead.meanings.torch?.options.map(({ name }) => name)).toEqual(["k", "alpha"]);

  const lbfgs = sources.read("lbfgs");
  expect(lbfgs.defaults.maxIter).toBe("20");
  expect(lbfgs.meanings.torch?.options.map(({ name }) => name)).toContain("historySize");

  expect(() => sources.read("adamm")).toThrow("adamm: expected packages/core/src/optim/index.ts to export a constant");
});
