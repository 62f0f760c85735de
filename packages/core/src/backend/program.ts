/**
 * The Program: the only thing a backend sees. A straight-line list of kernels over planned buffers, as plain data:
 * printable (print.ts), validated (validate.ts), interpretable (interpreter.ts), and free of references, so that it can be
 * sent to another thread or written to a file (structured clone keeps NaN, infinities and -0; plain JSON does not).
 */
import type { ComputeDType, DType } from "../graph/dtype.ts";
import type { BinaryOp, ConvGeometry, ReduceOp, UnaryOp } from "../graph/node.ts";

export interface Program {
  readonly buffers: readonly BufferSpec[];
  readonly uniforms: readonly UniformSpec[];
  readonly kernels: readonly Kernel[];
  /** Bytes of the arena that temporaries are offsets into. */
  readonly arenaBytes: number;
}

export interface BufferSpec {
  readonly dtype: DType;
  /** Elements. May be 0. */
  readonly size: number;
  /** Inputs, parameters and outputs are bound at each run, in the order they stand in `buffers`; temporaries live in the arena. */
  readonly kind: "input" | "parameter" | "temporary" | "output";
  /** Temporaries: byte offset in the arena, a multiple of 64. Temporaries whose lives do not overlap may share bytes. */
  readonly offset?: number;
  /** Shown by the printer. */
  readonly name?: string;
}

export interface UniformSpec {
  readonly name: string;
  readonly dtype: ComputeDType;
}

export type Kernel = LoopKernel | ContractionKernel | IndexedKernel;

// ---------------------------------------------------------------------------------------------------------------
// The scalar language. Instruction i of a body defines value i; operands are earlier values. Values are scalars of a
// compute dtype. float32 values may be computed in higher precision between loads and stores, with exceptions that
// keep recomputation consistent: a `roundTo` instruction rounds to its dtype exactly, and what jumps sees its float32
// operands rounded to float32: comparisons, floor, ceil, round, trunc, sign, casts to integers and bool, argMax, argMin.

/** Index of a value in its kernel's numbering. */
export type Value = number;

/** An affine function of the kernel's loop variables, plus scaled dynamic values (gathered indices). */
export interface Affine {
  readonly offset: number;
  /** One coefficient per loop variable of the kernel (outer, then inner). */
  readonly strides: readonly number[];
  /** int32 or uint32 values, times a stride. `size`: the value must lie in [0, size), else the run throws IndexError. */
  readonly dynamic?: readonly { readonly value: Value; readonly stride: number; readonly size: number }[];
}

/** True where lo ≤ affine < hi. */
export interface Condition {
  readonly affine: Affine;
  readonly lo: number;
  readonly hi: number;
}

export type Instruction = {
  /** The value this instruction defines (stores define none but still count a number). */
  readonly id: Value;
} & (
  | { readonly op: "constant"; readonly dtype: ComputeDType; readonly value: number }
  | { readonly op: "uniform"; readonly dtype: ComputeDType; readonly uniform: number }
  /** The affine function itself, as int32. */
  | { readonly op: "index"; readonly dtype: "int32"; readonly affine: Affine }
  /** bool: all conditions hold. */
  | { readonly op: "inside"; readonly dtype: "bool"; readonly conditions: readonly Condition[] }
  /** Element of the kernel's slot; 0 (and no memory access) where a condition fails. */
  | {
      readonly op: "load";
      readonly dtype: ComputeDType;
      readonly slot: number;
      readonly at: Affine;
      readonly conditions?: readonly Condition[];
    }
  | { readonly op: UnaryOp; readonly dtype: ComputeDType; readonly args: readonly [Value] }
  | { readonly op: BinaryOp; readonly dtype: ComputeDType; readonly args: readonly [Value, Value] }
  /** args: condition (bool), a, b. Only the chosen one matters: NaN in the other is harmless. */
  | { readonly op: "where"; readonly dtype: ComputeDType; readonly args: readonly [Value, Value, Value] }
  /** Conversion from the dtype of the argument to `dtype`; see `cast` in graph/node.ts. */
  | { readonly op: "cast"; readonly dtype: ComputeDType; readonly args: readonly [Value] }
  /** The argument rounded to a storage dtype (float32, bfloat16, float16) and back. */
  | { readonly op: "roundTo"; readonly dtype: ComputeDType; readonly to: DType; readonly args: readonly [Value] }
  /** Word of Philox 4x32-10. args: word index (int32), key0, key1, stream0, stream1 (uint32). Counter = (index div 4, 0, stream0, stream1); lane = index mod 4. */
  | { readonly op: "philox"; readonly dtype: "uint32"; readonly args: readonly [Value, Value, Value, Value, Value] }
  /** The accumulated sum of a contraction, at this output element. Only in epilogues. */
  | { readonly op: "accumulator"; readonly dtype: ComputeDType }
  | { readonly op: "store"; readonly slot: number; readonly at: Affine; readonly value: Value }
  /**
   * Only in stages over the inner loops: combines `value` over all inner iterations, in whatever order the backend
   * likes, always the same one. Its result is visible in later stages only. argMax/argMin give the int32 row-major position in the inner space of the first
   * extreme (a NaN counts as extreme); max and min propagate NaN. An empty inner space gives the identity (0, 1, ∓∞).
   */
  | { readonly op: "reduce"; readonly dtype: ComputeDType; readonly fn: ReduceOp; readonly value: Value }
);

/** One pass of a loop kernel's body. Values of an `inner` stage (but its reductions) are visible in that stage only. */
export interface Stage {
  /** `outer`: runs once per outer iteration. `inner`: loops over the inner space. */
  readonly over: "outer" | "inner";
  readonly body: readonly Instruction[];
}

/**
 * For every point of the outer space, the stages in order. One outer stage: a fused element-wise kernel. An inner stage
 * with a reduction, then an outer one: a reduction with prologue and epilogue. Several inner stages: a row program.
 */
export interface LoopKernel {
  readonly kind: "loop";
  /** What was fused, for people. */
  readonly label: string;
  /** Sizes of the outer loops; variables 0 … outer.length-1. Empty: one iteration. */
  readonly outer: readonly number[];
  /** Sizes of the inner loops; the variables after the outer ones. */
  readonly inner: readonly number[];
  readonly stages: readonly Stage[];
  /**
   * The same body over several sets of buffers: instructions name slots, a segment says which buffer each slot is.
   * With more than one segment, outer has rank 1, its size is each segment's own (`outer[0]` holds the sum), inner is
   * empty and every access is contiguous (offset 0, stride 1) or a broadcast scalar (stride 0).
   */
  readonly segments: readonly Segment[];
}

export interface Segment {
  readonly size: number;
  /** Buffer index of each slot. */
  readonly buffers: readonly number[];
}

/** Where an operand of a contraction lies: a strided view of a buffer. */
export interface Operand {
  readonly buffer: number;
  readonly offset: number;
  readonly strides: readonly number[];
}

/** Element-wise continuation of a contraction, run per output element while the tile is in registers or cache. */
export interface Epilogue {
  /** Loop variables: see each contraction. Contains `accumulator` and at least one store. */
  readonly body: readonly Instruction[];
  /** Buffer of each slot the body names. */
  readonly buffers: readonly number[];
}

export type ContractionKernel = MatmulKernel | ConvolutionKernel;

/** c[b…, i, j] = Σ_k a[b…, i, k] · b[b…, k, j]. Epilogue variables: batch…, i, j. */
export interface MatmulKernel {
  readonly kind: "matmul";
  readonly label: string;
  readonly dtype: ComputeDType;
  readonly batch: readonly number[];
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Strides over batch…, i, k. */
  readonly a: Operand;
  /** Strides over batch…, k, j. */
  readonly b: Operand;
  readonly epilogue: Epilogue;
}

/**
 * Convolution in one of its three forms, named by what it computes; the operands of each are contiguous:
 * - conv2d: a = x [n, c, h, w], b = weight [o, c/groups, kh, kw] → [n, o, oh, ow]
 * - conv2dInputGradient: a = output gradient [n, o, oh, ow], b = weight → [n, c, h, w]
 * - conv2dWeightGradient: a = x, b = output gradient → [o, c/groups, kh, kw]
 * Epilogue variables: the four axes of the result.
 *
 * Taps that fall in the padding add nothing, but a backend may either skip them or multiply zeros there, whichever is
 * faster. Where padding meets an infinite or NaN operand (a weight, or an output gradient) 0 · ∞ = NaN may thus appear in
 * the sum or not: such elements of the result are unspecified. All others are not affected.
 */
export interface ConvolutionKernel {
  readonly kind: "conv2d" | "conv2dInputGradient" | "conv2dWeightGradient";
  readonly label: string;
  readonly dtype: ComputeDType;
  readonly geometry: ConvGeometry;
  /** [n, c, h, w] of x. */
  readonly x: readonly [number, number, number, number];
  /** [o, c/groups, kh, kw] of the weight. */
  readonly weight: readonly [number, number, number, number];
  /** [n, o, oh, ow] of the convolution's output. */
  readonly y: readonly [number, number, number, number];
  readonly a: number;
  readonly b: number;
  readonly epilogue: Epilogue;
}

/** cumSum and argSort: operands contiguous, of shape [outer, size, inner], the axis in the middle. */
export type IndexedKernel =
  /**
   * For every p in `shape`, in row-major order: target[p with p[axis] replaced by index[p]] += source[p]. The contiguous
   * `target` (of `targetShape`, which may be larger than `shape` on any axis) was initialised by an earlier kernel. An
   * index outside [0, targetShape[axis]) throws IndexError.
   */
  | {
      readonly kind: "scatterAdd";
      readonly label: string;
      readonly axis: number;
      readonly targetShape: readonly number[];
      readonly shape: readonly number[];
      readonly target: number;
      /** Index and source are strided views (an expanded index has zero strides); strides over `shape`. */
      readonly index: Operand;
      readonly source: Operand;
    }
  | {
      readonly kind: "cumSum";
      readonly label: string;
      readonly outer: number;
      readonly size: number;
      readonly inner: number;
      readonly input: number;
      readonly output: number;
    }
  | {
      readonly kind: "argSort";
      readonly label: string;
      readonly outer: number;
      readonly size: number;
      readonly inner: number;
      readonly descending: boolean;
      readonly input: number;
      /** int32. */
      readonly output: number;
    };

export type KernelKind = Kernel["kind"];

/** Every kind there is. */
export const kernelKinds: readonly KernelKind[] = [
  "loop",
  "matmul",
  "conv2d",
  "conv2dInputGradient",
  "conv2dWeightGradient",
  "scatterAdd",
  "cumSum",
  "argSort",
];
