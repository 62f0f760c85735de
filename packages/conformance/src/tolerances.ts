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

const table: readonly (readonly [string, ToleranceRow])[] = [
  ...rows("neg abs sign relu relu6 floor ceil round trunc clamp", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Picks or changes bits; the gradient is the incoming one, or 0.",
  }),
  ...rows("equal notEqual less lessEqual greater logicalAnd isNaN not and or xor shiftLeft shiftRight mulHigh", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Bits, integers and booleans.",
  }),
  ...rows("argMax argMin oneHot", {
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
  ...rows("mod", {
    output: ulp(1),
    gradient: summed(2),
    reason: "A remainder is exact; one that takes the divisor's sign is rounded once more.",
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
  ...rows("greaterEqual logicalOr logicalXor logicalNot isInf isFinite any all argSort", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Integers and booleans.",
  }),
  ...rows("bitwiseAnd bitwiseOr bitwiseXor bitwiseNot", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Bits of integers.",
  }),
  ...rows("hardTanh stopGradient cast", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Picks, changes or rounds bits as its definition says; the gradient is the incoming one, or 0.",
  }),
  ...rows("arange linspace eye full zeros ones fullLike zerosLike onesLike tensor", {
    output: ulp(0),
    gradient: ulp(0),
    reason: "Numbers of a rule, exact in float32 as they are chosen here.",
  }),
  ...rows("transpose flatten squeeze unsqueeze select window diagonal broadcastTo chunk take maskedFill", {
    output: ulp(1),
    gradient: summed(1),
    reason: "Moves elements, and one addition where what is moved is used; the gradient adds up what was read twice.",
  }),
  ...rows("remainder fmod floorDivide barrier outer", {
    output: ulp(1),
    gradient: summed(2),
    reason: "One or two exact operations and one rounding; the gradient sums over broadcast axes.",
  }),
  ...rows("log2 log10", {
    output: ulp(5),
    gradient: ulp(16),
    reason: "A logarithm times a constant.",
  }),
  ...rows("celu selu log1pExp logSigmoid softsign", {
    output: ulp(8),
    gradient: ulp(16, "one"),
    reason: "A few operations on one library function, as of the other activations.",
  }),
  ...rows("hardSigmoid prelu glu", {
    output: ulp(8, "one"),
    gradient: summed(8),
    reason: "A few operations; x + 3 cancels near -3. The gradient of a slope sums over the elements it is for.",
  }),
  ...rows("trace", {
    output: summed(2),
    gradient: ulp(0),
    reason: "A sum along the diagonal; the gradient is the incoming one.",
  }),
  ...rows("convTranspose1d", {
    output: summed(2),
    gradient: summed(2),
    reason: "Sums of n products; blocked accumulation adds in another order.",
  }),
  ...rows("qr newtonSchulz", {
    output: summed(16),
    gradient: summed(64),
    reason: "A chain of reflections or of products, each a sum that is rounded.",
  }),
  ...rows("eigh inverseRoot", {
    output: summed(64),
    gradient: summed(512),
    reason:
      "Tens of rotations, each of everything; eigenvectors move by the error over the gap between eigenvalues, and roots of small eigenvalues by theirs.",
  }),
  ...rows("scaledDotProductAttention lstmCell gruCell", {
    output: summed(8),
    gradient: summed(16),
    reason: "Products, library functions and products again, each rounded.",
  }),
];

/** The rows by operation. */
export const tolerances: ReadonlyMap<string, ToleranceRow> = new Map(table);
if (tolerances.size !== table.length) throw new Error("an operation has two tolerances");

/** Composite functions of the golden derivatives: value, gradients, and products with the Hessian. */
export const derivativeTolerance: ToleranceRow = {
  output: summed(8),
  gradient: summed(64),
  reason: "Whole small networks differentiated twice: dozens of dependent roundings over terms that cancel.",
};

/** Normal random numbers; the gradient is never asked for. */
export const normalTolerance: Pick<ToleranceRow, "output" | "reason"> = {
  output: ulp(8, "terms"),
  reason: "√(-2 ln u)·cos 2πv: the rounding of 2πv is an absolute error of the cosine, times the radius.",
};

/** Trajectories of optimizers: largest error relative to the largest entry of the array, up to twenty steps; see `optimizerToleranceOf`. */
export const optimizerTolerance = {
  float64: float64Tolerance,
  float32: 4e-6,
  reason:
    "Each step adds its rounding to those before it, so the bound grows with the number of steps; a wrong constant shows at 1e-3.",
} as const;

/** Steps that the bounds of optimizers are for. */
const boundedSteps = 20;

/** Those whose float32 trajectories are further off by what they compute. */
const optimizersFurtherOff: ReadonlyMap<string, { readonly float32: number; readonly reason: string }> = new Map([
  [
    "shampoo",
    {
      float32: 5e-3,
      reason:
        "Where there was no gradient yet, an eigenvalue is epsilon (1e-4) and the rounding of a sum of squares of size 10, which is 1e-6: a hundredth of it, a quarter of that in its inverse fourth root. Roots that serve for several steps meet gradients in such directions. Another power or a stale statistic shows at 1e-1.",
    },
  ],
  ...["prodigy", "dAdaptAdam"].map((name): [string, { float32: number; reason: string }] => [
    name,
    {
      float32: 5e-4,
      reason:
        "The step size is estimated from sums that nearly cancel, and multiplies everything after: roundings grow as it does, from 1e-6 to a visible size. float64 shows no such difference, and a wrong term shows at 1e-2.",
    },
  ]),
  [
    "adaBelief",
    { float32: 1e-5, reason: "The square of a gradient less its own average: what is left of two close numbers." },
  ],
  [
    "mars",
    { float32: 3e-5, reason: "A difference of successive gradients is scaled up, and a scalar may pass through 0." },
  ],
]);

/** How far a trajectory of `steps` updates may be off: in proportion to its length beyond twenty, to 1e-9 in float64. */
export function optimizerToleranceOf(optimizer: string, floats: "float64" | "float32", steps: number): number {
  const longer = Math.max(1, steps / boundedSteps);
  if (floats === "float64") return Math.min(1e-9, optimizerTolerance.float64 * longer);
  return (optimizersFurtherOff.get(optimizer)?.float32 ?? optimizerTolerance.float32) * longer;
}

/**
 * The same for optimizers that search along a line (`lbfgs`). In float32 of what the parameters are worth: the loss at them,
 * relative to the largest of its curve.
 */
export const lineSearchTolerance = {
  float64: float64Tolerance,
  float32: 0.15,
  reason:
    "Whether to go on is decided by changes of loss and parameters down to 1e-9, which float32 does not resolve: a search may end elsewhere in a valley, or an iteration later: of 360 random cases the furthest was off by 0.09. Quadratics agree to 1e-6 all the same, and so do the first steps in Rosenbrock's valley.",
} as const;

/** Gradient transforms: largest error relative to the largest entry of the array. */
export const transformTolerance = {
  float64: float64Tolerance,
  float32: 2e-6,
  reason: "One sum over all gradients, a root and a quotient: some ten ULP. A wrong epsilon or order shows at 1e-4.",
} as const;

/** Schedules: largest error relative to the largest number of the case. */
export const scheduleTolerance = {
  float64: 1e-9,
  reason:
    "Closed forms against originals that multiply a rate on from step to step, and so gather a rounding error at each; a schedule off by one step shows at 1e-3.",
} as const;

/** Whole training runs of some tens of steps: largest error relative to the expected value or 1. */
export const trainingTolerance = {
  float64: 1e-9,
  float32: 3e-5,
  reason:
    "Rounding errors of every step move the weights of all later ones, and Adam divides by gradients that may be small: hundreds of float32 ULP. A dropped term, a stale rate or another batch shows at 1e-3 and above.",
} as const;

/**
 * The same few steps as one Program each, as several, and on the interpreter: largest error relative to the largest entry
 * of an array.
 */
export const replayTolerance = {
  float32: 1e-4,
  reason:
    "Where one Program becomes several, values that were passed on in a kernel are rounded and stored between them, and the interpreter adds in another order. Every array is looked at, small moments of cancelling gradients too, which Adam then divides by. Where the Programs are the same, so are the bits.",
} as const;

const smallestNormal = 2 ** -126;

/** Distance from |x| to the next float32. */
export const float32Ulp = (x: number): number =>
  2 ** (Math.floor(Math.log2(Math.max(Math.abs(x), smallestNormal))) - 23);
