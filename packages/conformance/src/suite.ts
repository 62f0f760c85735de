/** The built-in suite: every layer's cases, in one list. */
import type { Case } from "./case.ts";
import { goldenCases } from "./golden/cases.ts";
import type { GoldenFile } from "./golden/files.ts";

export interface SuiteOptions {
  /** Golden files; those that come with this package are read by `builtInGolden` of `@thalweg/conformance/node`. */
  readonly golden: readonly GoldenFile[];
  /** Of the random graphs. Default: a fixed seed and as many as take some seconds. */
  readonly sweep?: { readonly runs?: number; readonly seed?: number };
}

/** Every case there is. */
export function suiteCases({ golden }: SuiteOptions): Case[] {
  return [...goldenCases(golden)];
}
