/**
 * How far from the golden values a backend may be: one table, a row per operation.
 *
 * float64 is held to 1e-10 relative everywhere, ten thousand times what double arithmetic loses here. float32 is held to
 * a number of ULP (units in the last place) that depends on what the operation has to do, as a function of n, the largest
 * number of elements that can meet in one sum: rounding errors of a sum grow with its length, those of a single
 * operation do not.
 *
 * A ULP is that of the expected value or of the `scale`, whichever is larger: where terms cancel, what is left can be no
 * more exact than the terms were.
 */

export const float64Tolerance = 1e-10;

/** What rounding errors are measured against, beside the expected value. */
export type Scale =
  /** Nothing: also small results are accurate to their own last place. */
  | "value"
  /** 1: the function passes through 0 away from x = 0, where the argument's own rounding is all that counts. */
  | "one"
  /** The largest magnitude among the inputs and the expected results, at least 1: terms of that size are added up. */
  | "terms";

export interface Tolerance {
  /** ULP of float32, given n. */
  readonly ulp: (n: number) => number;
  readonly scale: Scale;
}

export interface ToleranceRow {
  readonly output: Tolerance;
  readonly gradient: Tolerance;
  readonly reason: string;
}

const ulp = (count: number, scale: Scale = "value"): Tolerance => ({ ulp: () => count, scale });
/** Errors of n additions, at random: they grow as √n. */
const summed = (count: number): Tolerance => ({ ulp: (n) => count * Math.sqrt(n), scale: "terms" });

const rows = (ops: string, row: ToleranceRow): [string, ToleranceRow][] => ops.split(" ").map((op) => [op, row]);

export const tolerances: ReadonlyMap<string, ToleranceRow> = new Map([
  ...rows("neg abs sign relu relu6 floor ceil round clamp", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Picks or changes bits; the gradient is the incoming one, or 0.",
  }),
  ...rows("equal less greater logicalAnd isNaN argMax argMin oneHot", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Integers and booleans.",
  }),
  ...rows("reshape permute slice flip concat stack split tril triu pad sort topK", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Moves elements, each to one place; the gradient moves them back.",
  }),
  ...rows("gather indexSelect embedding expand where maximum minimum max min", {
    output: ulp(0),
    gradient: summed(1),
    reason: "Chooses elements; the gradient adds up what reached an element by several ways, or shares it among ties.",
  }),
  ...rows("add sub mul div", {
    output: ulp(1),
    gradient: summed(2),
    reason: "One rounding. The gradient multiplies, divides, and sums over broadcast axes.",
  }),
  ...rows("square sqrt reciprocal", {
    output: ulp(1),
    gradient: ulp(8),
    reason: "One correctly rounded operation; the gradient has three.",
  }),
  ...rows("exp expm1 log log1p rsqrt", {
    output: ulp(4),
    gradient: ulp(16),
    reason: "Library functions without a correctly rounded definition; near 0 they keep relative accuracy.",
  }),
  ...rows("sin cos tan", {
    output: ulp(4, "one"),
    gradient: ulp(8, "one"),
    reason: "Library functions; near multiples of π the reduction of the argument leaves an absolute error.",
  }),
  ...rows("tanh sigmoid erf leakyRelu elu softplus silu hardSwish", {
    output: ulp(8),
    gradient: ulp(16, "one"),
    reason: "A few operations on one library function; derivatives such as 1 - tanh² cancel in the tails.",
  }),
  ...rows("gelu mish", {
    output: ulp(8, "one"),
    gradient: ulp(16, "one"),
    reason:
      "x times a function that cancels in the far tail, where the golden values too are exact to 1e-16 absolute only.",
  }),
  ...rows("pow", {
    output: ulp(16),
    gradient: summed(16),
    reason:
      "exp(b·log a): the error of the logarithm is multiplied by the exponent. The gradient sums over broadcast axes.",
  }),
  ...rows("sum mean cumSum scatterAdd", {
    output: summed(2),
    gradient: summed(4),
    reason: "Sums of n terms that may cancel.",
  }),
  ...rows("norm", {
    output: summed(2),
    gradient: summed(16),
    reason: "A sum between two powers. For p other than 1 and 2 the gradient multiplies what two more powers give.",
  }),
  ...rows("prod", {
    output: { ulp: (n) => 1 + n, scale: "value" },
    gradient: { ulp: (n) => 4 + 2 * n, scale: "terms" },
    reason: "n roundings, one after another, all relative; the gradient adds products up.",
  }),
  ...rows("variance std", {
    output: summed(4),
    gradient: summed(8),
    reason: "A sum of squares about a mean that is rounded itself.",
  }),
  ...rows("logSumExp softmax logSoftmax", {
    output: summed(4),
    gradient: summed(8),
    reason:
      "Exponentials of differences from the maximum (an absolute error in the exponent is relative outside), and their sum.",
  }),
  ...rows("matmul linear einsum conv1d conv2d convTranspose2d", {
    output: summed(2),
    gradient: summed(2),
    reason: "Sums of n products; blocked accumulation adds in another order.",
  }),
  ...rows("maxPool2d", {
    output: ulp(0),
    gradient: summed(1),
    reason: "Chooses elements; the gradient adds up windows that overlap.",
  }),
  ...rows("avgPool2d adaptiveAvgPool2d", {
    output: summed(2),
    gradient: summed(2),
    reason: "Sums over windows, divided.",
  }),
  ...rows("layerNorm batchNorm groupNorm rmsNorm", {
    output: summed(8),
    gradient: summed(32),
    reason: "Two dependent reductions, then a division by a small deviation; the gradient has two more that cancel.",
  }),
  ...rows("crossEntropy nllLoss mseLoss l1Loss smoothL1Loss huberLoss bceWithLogits klDiv", {
    output: summed(4),
    gradient: summed(8),
    reason: "Element-wise formulas that cancel near their minimum, and a sum over the batch.",
  }),
  ...rows("cosineSimilarity", {
    output: summed(4),
    gradient: summed(16),
    reason: "A quotient of sums; its gradient is a difference of two large terms.",
  }),
  ...rows("scaledDotProductAttention lstmCell gruCell", {
    output: summed(8),
    gradient: summed(16),
    reason: "Products, library functions and products again, each rounded.",
  }),
]);

/** Composite functions of the golden derivatives: value, gradients, and products with the Hessian. */
export const derivativeTolerance: ToleranceRow = {
  output: summed(8),
  gradient: summed(64),
  reason: "Whole small networks differentiated twice: dozens of dependent roundings over terms that cancel.",
};

/** Trajectories of optimizers: largest error relative to the largest entry of the array. */
export const optimizerTolerance = {
  float64: float64Tolerance,
  float32: 4e-6,
  reason: "Errors of every step are carried through some tens of steps; a wrong constant shows at 1e-3.",
} as const;

const smallestNormal = 2 ** -126;

/** Distance from |x| to the next float32. */
export const float32Ulp = (x: number): number =>
  2 ** (Math.floor(Math.log2(Math.max(Math.abs(x), smallestNormal))) - 23);
