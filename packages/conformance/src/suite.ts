/** The built-in suite: every layer's cases, in one list. */
import { agreementCases } from "./agreementCases.ts";
import { derivativeCases } from "./autodiff/cases.ts";
import type { Case } from "./case.ts";
import { determinismCases } from "./determinism/cases.ts";
import { errorCases } from "./errors/cases.ts";
import { fusionCases } from "./fusion/cases.ts";
import { goldenCases } from "./golden/cases.ts";
import type { GoldenFile } from "./golden/files.ts";
import { kernelCases } from "./kernels/index.ts";
import { memoryCases } from "./memory/cases.ts";
import { operationCases } from "./ops/cases.ts";
import { randomCases } from "./random/cases.ts";
import { type SweepOptions, sweepCases } from "./sweep/cases.ts";
import { trainingCases } from "./training/cases.ts";
import { parseTrainingCurves } from "./training/curves.ts";

export interface SuiteOptions {
  /** Golden files; those that come with this package are read by `builtInGolden` of `@thalweg/conformance/node`. */
  readonly golden: readonly GoldenFile[];
  /** Loss curves of small fixed models, the text of `golden/training/curves.json`. */
  readonly curves: string;
  /** Of the random graphs. Default: a fixed seed and as many as take some seconds. */
  readonly sweep?: SweepOptions;
}

/** Every case there is. */
export function suiteCases({ golden, curves, sweep = {} }: SuiteOptions): Case[] {
  return [
    ...kernelCases,
    ...agreementCases(golden),
    ...goldenCases(golden),
    ...operationCases,
    ...derivativeCases,
    ...randomCases,
    ...trainingCases(parseTrainingCurves(curves)),
    ...determinismCases,
    ...memoryCases,
    ...fusionCases,
    ...errorCases,
    ...sweepCases(sweep),
  ];
}
