/** What compiling a kernel gives: functions to be called, each once for every one of its tasks. */

import type { Code } from "./code.ts";
import type { FunctionBuilder } from "./emit/index.ts";

/** Where a pointer parameter of a function points. */
export type Pointer =
  /** A buffer of the Program. */
  | { readonly kind: "buffer"; readonly buffer: number }
  /** The Program's uniforms, 8 bytes each: the number in the uniform's dtype at the first of them (bool as an int32). */
  | { readonly kind: "uniforms" }
  /** Memory that belongs to this kernel while it runs, the same for all of its launches and threads; 64-byte aligned when `offset` is. */
  | { readonly kind: "scratch"; readonly offset: number }
  /**
   * Consecutive i32 words: the addresses of these buffers of the Program, then the constants. For kernels over more
   * buffers than a function should have parameters.
   */
  | { readonly kind: "table"; readonly buffers: readonly number[]; readonly constants: readonly number[] }
  /** Memory that belongs to the calling thread while one task runs; 64-byte aligned. */
  | { readonly kind: "thread" };

/**
 * One function and how often it is called. Tasks of one launch may run at once on several threads, in any order; those of
 * the next launch begin when all are done. How many tasks there are and what each of them does depends on the Program
 * alone, so that results do not depend on the number of threads.
 */
export interface Launch {
  /**
   * Launches of equal keys share one function. So it says all that the code depends on, and nothing else: no labels, no
   * numbers of buffers.
   */
  readonly key: string;
  readonly pointers: readonly Pointer[];
  /** From 1: a launch of a kernel that has nothing to do is left out. */
  readonly tasks: number;
  /** Bytes behind a `thread` pointer. */
  readonly threadBytes?: number;
  /** Writes the function's body. Parameters, all i32: the pointers, then the number of the task, from 0. */
  build(f: FunctionBuilder, code: Code): void;
}

export interface CompiledKernel {
  readonly launches: readonly Launch[];
  /** Bytes behind the `scratch` pointers. */
  readonly scratchBytes: number;
}

/**
 * Least work of a task: handing it to another thread costs about a microsecond, so it should take several times that. In
 * simple operations on one element (an addition of memory operands).
 */
export const taskWork = 1 << 15;

/** A kernel is never cut into more tasks than this; enough for even shares among as many threads as processors have. */
export const taskLimit = 64;

/** Into how many tasks to cut `units` of `work` each, e.g. rows of so many elements. At least 1, at most `units`. */
export function taskCount(units: number, work: number): number {
  return Math.max(1, Math.min(taskLimit, units, Math.floor((units * work) / taskWork)));
}
