/**
 * Eigenvalues and eigenvectors of symmetric matrices by Jacobi's method: plane rotations, each of which makes one pair
 * of off-diagonal elements zero, in sweeps over all pairs (Golub & Van Loan, Matrix Computations, section 8.5). The
 * pairs of a round are disjoint and rotated at once, so that a round is two kernels over the whole batch, and a sweep n
 * - 1 rounds.
 */
import type { DType } from "../graph/dtype.ts";
import { ShapeError } from "../graph/errors.ts";
import { formatShape, sizeOf } from "../graph/shape.ts";
import { broadcastTo, castTo, reshapeTo, type TensorLike, toFloat, widen } from "./convert.ts";
import { eye } from "./creation.ts";
import {
  abs,
  add,
  barrier,
  bitwiseAnd,
  div,
  equal,
  less,
  lessEqual,
  mul,
  neg,
  sqrt,
  square,
  stopGradient,
  sub,
  where,
} from "./elementwise.ts";
import { argSort, gather } from "./indexing.ts";
import { matmul } from "./linalg.ts";
import { max } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { diagonal, flip, iotaAlong, padAxes, slice, transpose, unsqueeze } from "./views.ts";

export interface Eigen {
  /** Eigenvalues [..., n], ascending. */
  readonly values: Tensor;
  /** Orthonormal eigenvectors [..., n, n]: column j goes with value j. Their signs are arbitrary. */
  readonly vectors: Tensor;
}

/** Sizes of batch and matrix of a stack of square matrices. */
export function squareShape(subject: string, x: Tensor): { batch: readonly number[]; n: number } {
  const n = x.shape[x.rank - 1];
  if (n === undefined || x.rank < 2 || n !== x.shape[x.rank - 2]) {
    throw new ShapeError(subject, `expected square matrices [..., n, n], got ${formatShape(x.shape)}`);
  }
  return { batch: x.shape.slice(0, -2), n };
}

/**
 * Sweeps after which nothing changes any more, found by trying matrices of all kinds: convergence is quadratic at the
 * end, and larger matrices take a little longer to get there.
 */
const sweepsFor = (m: number, dtype: DType): number => (dtype === "float64" ? 5 : 3) + Math.log2(m);

/**
 * Pairs whose element is below this part of the largest are left for a later sweep. Rotating within a cluster of
 * eigenvalues while its coupling to others is large would undo their rotations: a singular matrix would converge
 * linearly.
 */
const threshold = 1e-3;

/**
 * An axis of 2ᵏ cut where the bits of `round` change: index i and its partner i XOR round are mirror images along the
 * axes that `mirrored` names, and equal on the others.
 */
function axesOf(round: number, bits: number): { sizes: number[]; mirrored: number[] } {
  const sizes: number[] = [];
  const mirrored: number[] = [];
  let last: number | undefined;
  for (let bit = bits - 1; bit >= 0; bit--) {
    const set = (round >> bit) & 1;
    if (set === last) sizes.push(2 * (sizes.pop() as number));
    else {
      if (set === 1) mirrored.push(sizes.length);
      sizes.push(2);
    }
    last = set;
  }
  return { sizes, mirrored };
}

/**
 * Cosine and signed sine of every index of the matrices [b, m, m]: new row = cosine·row + sine·(row of the partner).
 * `other` is the matrix with every column in the place of its partner's.
 */
function rotations(
  matrix: Tensor,
  other: Tensor,
  { first, negligible, swap }: { first: Tensor; negligible: Tensor; swap: (x: Tensor) => Tensor },
): { cosine: Tensor; sine: Tensor } {
  const own = diagonal(matrix);
  // Rounding makes the matrix a little less than symmetric; the two of a pair must turn by one angle all the same.
  const between = diagonal(other);
  const coupling = add(between, swap(between));
  const slope = div(sub(swap(own), own), coupling);
  const magnitude = div(1, add(abs(slope), sqrt(add(square(slope), 1))));
  // Of two equal diagonal elements the first counts as the smaller; the tangents of a pair must differ in sign.
  const positive = where(equal(slope, 0), first, less(0, slope));
  const tangent = where(lessEqual(abs(coupling), negligible), 0, where(positive, magnitude, neg(magnitude)));
  const cosine = div(1, sqrt(add(square(tangent), 1)));
  // Stored, like all of a round: what is cheap would be computed again wherever it is used, by rounds of rounds.
  return { cosine: barrier(cosine), sine: barrier(neg(mul(tangent, cosine))) };
}

/**
 * The matrices [b, m, m], m a power of 2, made diagonal, and the product of all rotations. In round r of a sweep i and
 * i XOR r are partners, so that everyone meets everyone, and partners are found by turning axes round.
 */
function diagonalized(x: Tensor, sweeps: number): { matrix: Tensor; vectors: Tensor } {
  const [b, m] = x.shape as [number, number, number];
  const bits = Math.log2(m);
  let matrix = barrier(x);
  let vectors = broadcastTo(eye(m, m, { dtype: x.dtype }), [b, m, m]);
  const onDiagonal = equal(iotaAlong(m, 0, 2), iotaAlong(m, 1, 2));
  for (let sweep = 0; sweep < sweeps; sweep++) {
    const largest = max(where(onDiagonal, 0, abs(matrix)), { axis: [1, 2] });
    const negligible = unsqueeze(barrier(mul(largest, 2 * threshold)), 1);
    for (let round = 1; round < m; round++) {
      const { sizes, mirrored } = axesOf(round, bits);
      const swap =
        (axis: number) =>
        (y: Tensor): Tensor => {
          const cut = [...y.shape.slice(0, axis), ...sizes, ...y.shape.slice(axis + 1)];
          return reshapeTo(
            flip(
              reshapeTo(y, cut),
              mirrored.map((i) => i + axis),
            ),
            y.shape,
          );
        };
      const first = equal(bitwiseAnd(iotaAlong(m, 1, 2), 2 ** Math.floor(Math.log2(round))), 0);
      const other = swap(2)(matrix);
      const { cosine, sine } = rotations(matrix, other, {
        first: broadcastTo(first, [b, m]),
        negligible,
        swap: swap(1),
      });
      const columns = (y: Tensor, partner: Tensor): Tensor =>
        add(mul(y, unsqueeze(cosine, 1)), mul(partner, unsqueeze(sine, 1)));
      const half = columns(matrix, other);
      matrix = barrier(add(mul(half, unsqueeze(cosine, 2)), mul(swap(1)(half), unsqueeze(sine, 2))));
      vectors = barrier(columns(vectors, swap(2)(vectors)));
    }
  }
  return { matrix, vectors };
}

/** What is left of the gaps between eigenvalues below this part of the largest counts as none. */
const smallestGap = { float32: 2 ** -22, float64: 2 ** -51 } as const;

/**
 * Values and vectors that are numbers by now, made functions of the matrix again, with the first derivatives they have:
 * of the values the diagonal of Vᵀ dx V, of the vectors V times what is off it, each element over the gap between its
 * two values.
 */
function withDerivative({ values, vectors }: Eigen, x: Tensor): Eigen {
  const change = matmul(matmul(transpose(vectors), x), vectors);
  const none = sub(change, stopGradient(change));
  const gap = sub(unsqueeze(values, 1), unsqueeze(values, 2));
  const scale = max(abs(values), { axis: 1, keepDim: true });
  const nothing = lessEqual(abs(gap), unsqueeze(mul(scale, smallestGap[x.dtype as keyof typeof smallestGap]), 2));
  const share = where(nothing, 0, div(none, where(nothing, 1, gap)));
  return { values: add(values, diagonal(none)), vectors: add(vectors, matmul(vectors, share)) };
}

/**
 * Eigenvalues and eigenvectors of symmetric matrices [..., n, n], ascending (numpy.linalg.eigh): x = V diag(values) Vᵀ.
 * Of a matrix that is not symmetric, the symmetric part counts. Errors are a few units in the last place of the largest
 * eigenvalue.
 *
 * Meant for n up to about a hundred, which counts as the next power of 2: some 20 n kernels, whatever the batch, which
 * take seconds to compile. First derivatives are exact; those of eigenvectors leave out what is between equal
 * eigenvalues, where they are not defined.
 */
export function eigh(x: TensorLike): Eigen {
  const given = toFloat(x);
  const { batch, n } = squareShape("eigh", given);
  if (given.size === 0) return { values: reshapeTo(diagonal(given), [...batch, n]), vectors: given };
  const wide = widen(given);
  const flat = reshapeTo(wide, [sizeOf(batch), n, n]);
  const symmetric = mul(add(flat, transpose(flat)), 0.5);
  const { values, vectors } = withDerivative(eigenOf(stopGradient(symmetric)), symmetric);
  return {
    values: castTo(reshapeTo(values, [...batch, n]), given.dtype),
    vectors: castTo(reshapeTo(vectors, [...batch, n, n]), given.dtype),
  };
}

/** Eigenvalues and eigenvectors of symmetric matrices [b, n, n], without derivatives. */
export function eigenOf(x: Tensor): Eigen {
  const [b, n] = x.shape as [number, number, number];
  // Rows of zeros are never rotated.
  const added = 2 ** Math.ceil(Math.log2(n)) - n;
  const found = diagonalized(padAxes(x, [0, 0, 0], [0, added, added]), sweepsFor(n + added, x.dtype));
  const values = slice(diagonal(found.matrix), { axis: 1, end: n });
  const vectors = slice(slice(found.vectors, { axis: 1, end: n }), { axis: 2, end: n });
  const order = argSort(values);
  return {
    values: gather(values, order, { axis: 1 }),
    vectors: gather(vectors, broadcastTo(unsqueeze(order, 1), [b, n, n]), { axis: 2 }),
  };
}
