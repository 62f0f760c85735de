/** What compiling a kernel of a Program gives: launches, in order. */
import type { Program } from "@thalweg/core/backend";
import type { ProductDescription } from "../native/addon.ts";
import type { Target } from "../target.ts";

/** What a parameter of a launch is: an address (or a number) known when the Program is bound. */
export type Argument =
  /** A buffer of the Program. `offset` in bytes. */
  | { readonly kind: "buffer"; readonly buffer: number; readonly offset?: number }
  /** The Program's uniforms, 8 bytes each: the number in the uniform's dtype at the first of them (bool as an int32). */
  | { readonly kind: "uniforms" }
  /** The Program's `Status` (device/status.cuh): where a dynamic index that is out of range is reported. */
  | { readonly kind: "status" }
  /** Memory for this kernel's launches alone while they run, at this byte of it; 256-byte aligned when `offset` is. Contents unspecified. */
  | { readonly kind: "scratch"; readonly offset: number }
  /** As scratch, but zero when the kernel's first launch begins; the kernel's last launch must leave it zero again. For tickets and counters. */
  | { readonly kind: "counters"; readonly offset: number }
  /** Consecutive 8-byte words in device memory: the addresses of these buffers of the Program, then the constants as `long long`. */
  | { readonly kind: "table"; readonly buffers: readonly number[]; readonly constants: readonly number[] }
  /** A `long long`. */
  | { readonly kind: "number"; readonly value: number };

export type Launch = KernelLaunch | FillLaunch | ProductLaunch;

/** A function of our own. */
export interface KernelLaunch {
  readonly kind: "kernel";
  /**
   * CUDA C of one `extern "C" __global__ void KERNEL(…)` (the word KERNEL stands where its name will be) and of what it
   * alone needs; `device/thalweg.cuh` is included before. Equal texts are compiled once: no labels, no numbers of buffers.
   */
  readonly source: string;
  readonly grid: readonly [number, number, number];
  readonly block: readonly [number, number, number];
  /** Dynamic shared memory. */
  readonly sharedBytes: number;
  readonly arguments: readonly Argument[];
}

/** 32-bit words of the same bits. */
export interface FillLaunch {
  readonly kind: "fill";
  readonly to: Argument;
  readonly word: number;
  readonly words: number;
}

/** A product by cuBLASLt. */
export interface ProductLaunch {
  readonly kind: "product";
  readonly description: ProductDescription;
  readonly a: Argument;
  readonly b: Argument;
  /** Where beta is not 0. */
  readonly c?: Argument;
  readonly d: Argument;
  readonly bias?: Argument;
  /** Of at least `description.workspaceBytes`. */
  readonly workspace: Argument;
}

export interface CompiledKernel {
  readonly launches: readonly Launch[];
  /** Bytes behind the `scratch` and `counters` arguments. */
  readonly scratchBytes: number;
  readonly counterBytes: number;
}

/** What a kernel is compiled for. */
export interface KernelContext {
  readonly program: Program;
  readonly target: Target;
  /**
   * An earlier kernel of the Program may meet an index out of range, and this one writes a buffer that outlives the run: its
   * launches must do nothing when the status says that it has happened. `kernelLaunch` sees to it; such a kernel cannot use
   * a product or a fill that writes such a buffer directly.
   */
  readonly guarded: boolean;
}
