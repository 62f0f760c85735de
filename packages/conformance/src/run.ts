/** Running cases against a backend, and the account of it. */
import { ArgumentError, useBackend } from "@thalweg/core";
import type { Backend, ExpectedFailure } from "@thalweg/core/backend";
import {
  type BackendFactory,
  type BackendOptions,
  type Case,
  type Layer,
  layers,
  matches,
  NotApplicable,
} from "./case.ts";

export interface Counts {
  passed: number;
  failed: number;
  /** Failed as the backend said they would. */
  expectedFailures: number;
  /** Said nothing about this backend. */
  notApplicable: number;
}

export interface Failure {
  readonly layer: Layer;
  readonly case: string;
  /** The golden file, where there is one. */
  readonly file?: string;
  readonly message: string;
}

export interface Report extends Readonly<Counts> {
  /** Name of the backend. */
  readonly backend: string;
  /** Only the layers that had cases. */
  readonly layers: Readonly<Partial<Record<Layer, Readonly<Counts>>>>;
  readonly failures: readonly Failure[];
}

export type Outcome =
  | { readonly kind: "passed" }
  | { readonly kind: "failed"; readonly message: string }
  | { readonly kind: "expectedFailure"; readonly reason: string }
  | { readonly kind: "notApplicable"; readonly reason: string };

export interface RunOptions {
  /** Only cases this pattern names (see `matches`). */
  readonly only?: string;
  /** Called after each case. */
  readonly onCase?: (tested: Case, outcome: Outcome) => void;
  /** `cases` is the whole suite: an expected failure that names none of them is a failure itself. Default false. */
  readonly wholeSuite?: boolean;
  /** Gives the rest of a layer up after its first failure. Default false. */
  readonly bail?: boolean;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** Runs one case on `backend`, which becomes the current one. Never throws. */
export async function runCase(tested: Case, backend: Backend, create: BackendFactory): Promise<Outcome> {
  const others: Backend[] = [];
  const another = async (options?: BackendOptions): Promise<Backend> => {
    const other = await create(options);
    if (other === backend || others.includes(other)) throw new NotApplicable(`there is one ${backend.name} only`);
    others.push(other);
    return other;
  };
  useBackend(backend);
  const expected = backend.expectedFailures?.find(({ case: pattern }) => matches(pattern, tested));
  try {
    await tested.run({ backend, another });
  } catch (error) {
    if (error instanceof NotApplicable) return { kind: "notApplicable", reason: error.message };
    if (expected) return { kind: "expectedFailure", reason: expected.reason };
    return { kind: "failed", message: message(error) };
  } finally {
    useBackend(backend);
    for (const other of others) {
      // A case may have disposed of it already, and that a second time must be harmless is a case of its own.
      try {
        other.dispose();
      } catch {}
    }
  }
  if (!expected) return { kind: "passed" };
  return { kind: "failed", message: `passed, though ${backend.name} expects it to fail: ${expected.reason}` };
}

const noCounts = (): Counts => ({ passed: 0, failed: 0, expectedFailures: 0, notApplicable: 0 });
const countOf = {
  passed: "passed",
  failed: "failed",
  expectedFailure: "expectedFailures",
  notApplicable: "notApplicable",
} as const;

/** An expected failure that names no case of the whole suite is out of date. */
export const staleExpectations = (backend: Backend, cases: readonly Case[]): readonly ExpectedFailure[] =>
  (backend.expectedFailures ?? []).filter(({ case: pattern }) => !cases.some((tested) => matches(pattern, tested)));

/**
 * Runs `cases` on a backend that `create` makes, layer by layer. A case that fails, and one that passes though the backend
 * expects it to fail, are failures.
 *
 * @throws {ArgumentError} when `only` names no case: a run of nothing proves nothing.
 */
export async function runCases(
  create: BackendFactory,
  cases: readonly Case[],
  options: RunOptions = {},
): Promise<Report> {
  const { only, onCase, wholeSuite = false, bail = false } = options;
  const chosen = only === undefined ? cases : cases.filter((tested) => matches(only, tested));
  if (chosen.length === 0) {
    throw new ArgumentError("conformance", only === undefined ? "there are no cases" : `no case is named by ${only}`);
  }
  const backend = await create();
  const counts: Partial<Record<Layer, Counts>> = {};
  const failures: Failure[] = [];
  for (const layer of layers) {
    for (const tested of chosen) {
      if (tested.layer !== layer) continue;
      counts[layer] ??= noCounts();
      const outcome = await runCase(tested, backend, create);
      counts[layer][countOf[outcome.kind]]++;
      onCase?.(tested, outcome);
      if (outcome.kind !== "failed") continue;
      const { name, file } = tested;
      failures.push({ layer, case: name, ...(file === undefined ? {} : { file }), message: outcome.message });
      if (bail) break;
    }
  }
  for (const { case: pattern, reason } of wholeSuite ? staleExpectations(backend, cases) : []) {
    counts.errors ??= noCounts();
    counts.errors.failed++;
    failures.push({ layer: "errors", case: pattern, message: `an expected failure that names no case (${reason})` });
  }
  const total = noCounts();
  for (const layer of Object.values(counts)) {
    for (const key of Object.values(countOf)) total[key] += layer[key];
  }
  return { backend: backend.name, ...total, layers: counts, failures };
}
