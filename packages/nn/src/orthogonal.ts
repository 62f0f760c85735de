/** Orthogonal initial weights. Saxe et al. 2013, https://arxiv.org/abs/1312.6120 */
import { add, cast, matmul, mul, permute, reshape, type Shape, ShapeError, type Tensor } from "@thalweg/core";
import { type GainOptions, normal } from "./initializers.ts";

/**
 * A random matrix, uniform among those whose rows (or columns, if they are fewer) are orthonormal, times `gain`. The
 * axes after the first are taken as one.
 *
 * It is the orthogonal factor of the polar decomposition of a Gaussian matrix, found by Newton–Schulz iteration: matrix
 * products alone, so it is built lazily and runs on every backend. Quintic steps (Jordan et al. 2024, "Muon") bring all
 * singular values near 1, cubic steps make them 1.
 *
 * @throws ShapeError below rank 2.
 */
export function orthogonal(shape: Shape, { gain = 1, dtype = "float32" }: GainOptions = {}): Tensor {
  if (shape.length < 2) {
    throw new ShapeError("orthogonal", `expected a shape of rank 2 or more, got [${shape.join(", ")}]`);
  }
  const rows = shape[0] as number;
  const columns = shape.slice(1).reduce((product, n) => product * n, 1);
  const [short, long] = [Math.min(rows, columns), Math.max(rows, columns)];
  const arithmetic = dtype === "float64" ? "float64" : "float32";
  // The largest singular value of a Gaussian matrix stays below √long + √short + 6 but for one in 10⁷.
  const largest = Math.sqrt(long) + Math.sqrt(short) + 6;
  let x = mul(normal([short, long], { dtype: arithmetic }), 1 / largest);

  // The smallest is near √long - √short; a square matrix has one below 10⁻⁴/√n with probability 10⁻⁴.
  const smallest = Math.max(Math.sqrt(long) - Math.sqrt(short) - 3, 1e-4 / Math.sqrt(Math.max(short, 1))) / largest;
  const quintic = Math.ceil(Math.log(0.7 / smallest) / Math.log(3.4445));
  for (let i = 0; i < quintic; i++) x = step(x, 3.4445, -4.775, 2.0315);
  for (let i = 0; i < 6; i++) x = step(x, 1.5, -0.5, 0);

  const scaled = mul(rows === short ? x : permute(x, [1, 0]), gain);
  return cast(reshape(scaled, shape), dtype);
}

/** a x + b (x xᵀ) x + c (x xᵀ)² x: the polynomial a σ + b σ³ + c σ⁵ of every singular value. */
function step(x: Tensor, a: number, b: number, c: number): Tensor {
  const gram = matmul(x, permute(x, [1, 0]));
  const polynomial = c === 0 ? mul(gram, b) : add(mul(gram, b), mul(matmul(gram, gram), c));
  return add(mul(x, a), matmul(polynomial, x));
}
