/** What the conventions of muon share: which parameters are matrices to it, and the orthogonalized direction. */
import { ArgumentError } from "../graph/errors.ts";
import { formatShape } from "../graph/shape.ts";
import { reshapeTo } from "../tensor/convert.ts";
import { add, div, maximum, mul, sqrt, square } from "../tensor/elementwise.ts";
import { newtonSchulz } from "../tensor/newtonSchulz.ts";
import { sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { checkDecay, checkNonNegative, checkPositiveInteger, checkUnscheduled } from "./checks.ts";
import type { ScalarMaker } from "./rule.ts";

export interface NewtonSchulzSettings {
  /** Iterations of Newton-Schulz; no schedule. Default 5. */
  nsSteps: number;
  /** Its coefficients. Default [3.4445, -4.775, 2.0315]. */
  nsCoefficients: readonly [number, number, number];
}

export interface Routing {
  /** Whether the matrix rule updates a parameter or its companion, AdamW. Default null: by `routes`. */
  useMuon: boolean | null;
  /** Whether parameters with "embedding" in their name are the companion's, too. Default true. */
  excludeEmbeddings: boolean;
}

export interface Companion {
  /** The companion's learning rate over lr. Default 0.015 (3e-4 where lr is 0.02); torch and keras 1. */
  adamLrRatio: number;
}

export function checkNewtonSchulz(rule: string, { nsSteps, nsCoefficients }: Readonly<NewtonSchulzSettings>): void {
  checkPositiveInteger(rule, "nsSteps", nsSteps);
  if (
    !Array.isArray(nsCoefficients) ||
    nsCoefficients.length !== 3 ||
    !nsCoefficients.every((value) => Number.isFinite(value))
  ) {
    throw new ArgumentError(rule, `nsCoefficients must be a list of 3 finite numbers, got [${String(nsCoefficients)}]`);
  }
}

export function checkRouting(rule: string, { useMuon, excludeEmbeddings }: Readonly<Routing>): void {
  if (useMuon !== null && typeof useMuon !== "boolean") {
    throw new ArgumentError(rule, `useMuon must be true, false or null, got ${String(useMuon)}`);
  }
  if (typeof excludeEmbeddings !== "boolean") {
    throw new ArgumentError(rule, `excludeEmbeddings must be true or false, got ${String(excludeEmbeddings)}`);
  }
}

export function checkMomentum(rule: string, momentum: unknown, adamLrRatio: unknown): void {
  checkDecay(rule, "momentum", momentum);
  checkNonNegative(rule, "adamLrRatio", adamLrRatio);
}

/**
 * Whether a parameter is the matrix rule's: as `useMuon` says; where it is null, matrices and batches of them but
 * embeddings.
 *
 * @throws ArgumentError where `useMuon` is true for what is no matrix.
 */
export function isMatrix(
  rule: string,
  name: string,
  parameter: Tensor,
  { useMuon, excludeEmbeddings }: Readonly<Routing>,
  fits: (rank: number) => boolean,
): boolean {
  if (useMuon === false) return false;
  const matrix = fits(parameter.rank);
  if (useMuon === true && !matrix) {
    throw new ArgumentError(rule, `useMuon is true, but ${name} of shape ${formatShape(parameter.shape)} is no matrix`);
  }
  return matrix && (useMuon === true || !excludeEmbeddings || !/embedding/i.test(name));
}

/**
 * x over its Frobenius norm, orthogonalized. `floor`: how eps keeps the norm from 0, as what is added or as the least
 * it may be. Of four axes, the last three are one.
 */
export function orthogonalized<Options extends NewtonSchulzSettings>(
  rule: string,
  x: Tensor,
  { options, scalar }: ScalarMaker<Options> & { readonly options: Readonly<Options> },
  { floor, eps }: { floor: "added" | "least"; eps: Tensor },
): Tensor {
  checkUnscheduled(rule, "nsSteps", options.nsSteps);
  const [first, ...rest] = x.shape as [number, ...number[]];
  const matrix = x.rank === 4 ? reshapeTo(x, [first, rest.reduce((size, n) => size * n, 1)]) : x;
  const norm = sqrt(sum(square(matrix), { axis: [-2, -1], keepDim: true }));
  const unit = div(matrix, floor === "added" ? add(norm, eps) : maximum(norm, eps));
  const coefficient = (i: 0 | 1 | 2): Tensor =>
    scalar(`nsCoefficients[${i}]`, ({ options }) => options.nsCoefficients[i]);
  const coefficients = [coefficient(0), coefficient(1), coefficient(2)] as const;
  return reshapeTo(newtonSchulz(unit, { coefficients, steps: options.nsSteps }), x.shape);
}

/**
 * The direction from the momentum buffer, which is new already: the buffer, or with nesterov g + momentum (buffer - g).
 */
export const lookedAhead = (g: Tensor, buffer: Tensor, keep: Tensor, take: Tensor): Tensor =>
  add(mul(g, take), mul(buffer, keep));
