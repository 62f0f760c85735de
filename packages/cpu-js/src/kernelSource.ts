/**
 * What compiling a kernel gives: the text of one JavaScript function, and how the driver is to call it. Also the contract
 * by which a contraction gets the JavaScript of its element-wise epilogue without knowing the scalar language.
 */
import type { DType } from "@thalweg/core/backend";

export interface ScratchSpec {
  readonly dtype: DType;
  /** Elements. */
  readonly length: number;
}

/**
 * One function. It is called with, in this order: one typed array per entry of `buffers`; `uniforms` (a Float64Array)
 * when `usesUniforms`; one typed array per entry of `scratch`; and, for segmented kernels, the segment's size.
 * Free identifiers it may use: JavaScript's globals and the intrinsics (intrinsics.ts), whose names begin with `$`.
 */
export interface KernelSource {
  /** A function expression, e.g. `function (a, b, uniforms) { … }`. It must not name anything of one Program (labels, sizes of others), so that equal kernels share code. */
  readonly source: string;
  /** Buffer indices passed as arguments, in order. */
  readonly buffers: readonly number[];
  readonly usesUniforms: boolean;
  /** Typed arrays the kernel may overwrite freely; shared between kernels, contents undefined at entry. */
  readonly scratch?: readonly ScratchSpec[];
  /** Passed as the last argument. */
  readonly size?: number;
}

export interface EpilogueRequest {
  /** JavaScript name of each loop variable, in the kernel's order (batch…, i, j or the four axes of the result). Integers. */
  readonly variables: readonly string[];
  /** JavaScript expression of the accumulated sum at this element. Evaluated once per `accumulator` instruction. */
  readonly accumulator: string;
  /** JavaScript name of the typed array of each epilogue slot. */
  readonly slots: readonly string[];
  /** Appended to every name the body declares, so that several copies can stand in one scope. Default "". */
  readonly suffix?: string;
}

/**
 * `levels[d]`: statements that depend on none of `variables[d]` and later ones, so they may stand outside their loops;
 * `levels[variables.length]` is what depends on the last variable or the accumulator, stores included. Statements are
 * in order and may all be put in the innermost place, one level after the other.
 */
export interface EpilogueSource {
  readonly levels: readonly (readonly string[])[];
  /** The body names `uniforms`, which must be a parameter of the function. */
  readonly usesUniforms: boolean;
}

export type EpilogueEmitter = (request: EpilogueRequest) => EpilogueSource;
