/** The conformance suite in the page; golden files are handed in. */
import { type Case, type GoldenFile, goldenCases, idOf, type Report, runCases, suiteCases } from "@thalweg/conformance";
import { answerOf, type BackendAnswer, type BackendRequest, makeBackend } from "./backends.ts";

export interface ConformanceRequest extends BackendRequest {
  readonly golden: readonly GoldenFile[];
  /** Text of the loss curves. Without them only the golden files are run, not the built-in suite. */
  readonly curves?: string;
  /** Only cases this pattern names. */
  readonly only?: string;
}

export interface ConformanceResult extends BackendAnswer {
  readonly report: Report;
  readonly seconds: number;
}

export async function conformance(request: ConformanceRequest): Promise<ConformanceResult> {
  const { golden, curves, only } = request;
  const cases: readonly Case[] = curves === undefined ? goldenCases(golden) : suiteCases({ golden, curves });
  const probe = await makeBackend(request);
  const answer = answerOf(probe);
  probe.dispose();
  const start = performance.now();
  const report = await runCases((options) => makeBackend({ ...request, ...options }), cases, {
    ...(only === undefined ? {} : { only }),
    wholeSuite: curves !== undefined && only === undefined,
    onCase: (tested, { kind }) => {
      // Says in the page's console where a run is, for one that hangs.
      if (kind === "failed") console.info(`failed: ${idOf(tested)}`);
    },
  });
  return { ...answer, report, seconds: (performance.now() - start) / 1000 };
}
