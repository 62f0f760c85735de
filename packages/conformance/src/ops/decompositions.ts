/** Decompositions of matrices: long chains of kernels, each with what the ones before it stored. */
import type { Tensor } from "@thalweg/core";
import * as t from "@thalweg/core";
import { floats, floatsOf } from "./inputs.ts";
import { type Operation, type Variant, variant } from "./operation.ts";

const row = (op: string, ...variants: readonly Variant[]): Operation => ({ op, variants, signedZeros: false });

/** Eigenvalues, and a matrix that tells the eigenvectors apart but for their signs. */
export function signlessEigen(x: Tensor): Tensor[] {
  const { values, vectors } = t.eigh(x);
  const n = x.shape[x.rank - 1] as number;
  const marks = t.arange(1, n + 1, 1, { dtype: x.dtype });
  return [values, t.matmul(t.mul(vectors, marks), t.transpose(vectors))];
}

/** A positive definite matrix. */
const gramOf = (x: Tensor): Tensor => {
  const n = x.shape[x.rank - 2] as number;
  return t.add(t.matmul(x, t.transpose(x)), t.eye(n, n, { dtype: x.dtype }));
};

/** Every operation that takes matrices apart or makes functions of them. */
export const decompositionOperations: readonly Operation[] = [
  row(
    "qr",
    variant("5 by 3", (x) => Object.values(t.qr(x)) as Tensor[], floats([5, 3])),
    variant(
      "3 by 5, a permuted batch",
      (x) => Object.values(t.qr(x)) as Tensor[],
      floats([2, 3, 5], { layout: "permuted" }),
    ),
    variant("zeros", (x) => Object.values(t.qr(x)) as Tensor[], floatsOf(new Array<number>(9).fill(0), [3, 3])),
  ),
  row(
    "eigh",
    variant("a batch of 3 by 3", signlessEigen, floats([2, 3, 3], { seed: 2 })),
    variant("4 by 4, permuted", signlessEigen, floats([4, 4], { layout: "permuted" })),
    variant("of a product", (x) => t.eigh(gramOf(x)).values, floats([3, 5])),
  ),
  row(
    "inverseRoot",
    variant("square root", (x) => t.inverseRoot(gramOf(x), 2), floats([3, 4])),
    variant("fourth root of a batch", (x) => t.inverseRoot(gramOf(x), 4, { eps: 0.5 }), floats([2, 2, 3], { seed: 1 })),
  ),
  row(
    "newtonSchulz",
    variant("tall", (x) => t.newtonSchulz(t.mul(x, 0.125)), floats([5, 3])),
    variant(
      "a wide batch",
      (x) => t.newtonSchulz(x, { coefficients: [2, -1.5, 0.5], steps: 3 }),
      floats([2, 3, 4], { from: -0.3, to: 0.3, layout: "permuted" }),
    ),
  ),
];
