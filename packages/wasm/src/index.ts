/**
 * `@thalweg/wasm`: a backend that compiles each Program to one WebAssembly module, with SIMD, run by a pool of threads over
 * one memory. For Node and browsers.
 */
import { ArgumentError, type Backend, BackendError } from "@thalweg/core/backend";
import { WasmBackend } from "./backend.ts";
import { engine } from "./engine.ts";
import { detectFeatures } from "./features.ts";
import { availableThreads, hasThreads } from "./threads/pool.ts";

export interface WasmOptions {
  /**
   * Threads to compute with, the calling one among them. Default: as many as the machine runs at once. Results are the same
   * bits for any number. Where memory cannot be shared (a page without cross-origin isolation) it is 1 whatever is asked.
   */
  readonly threads?: number;
}

/** Beyond this, threads only wait for each other. */
const mostThreads = 64;

/**
 * A WebAssembly backend, at once. Takes every dtype and kernel and blocks for results. Throws BackendError where there is
 * no WebAssembly, ArgumentError when `threads` is no whole number from 1 to 64.
 */
export function wasmSync({ threads }: WasmOptions = {}): Backend {
  if (threads !== undefined && (!Number.isInteger(threads) || threads < 1 || threads > mostThreads)) {
    throw new ArgumentError("wasm", `threads must be a whole number from 1 to ${mostThreads}, got ${threads}`);
  }
  if (!engine) throw new BackendError("wasm", "there is no WebAssembly here");
  const features = detectFeatures();
  const wanted = threads ?? Math.min(availableThreads(), mostThreads);
  return new WasmBackend({ features, threads: features.sharedMemory && hasThreads() ? wanted : 1 });
}

/** A WebAssembly backend; see `wasmSync`. Asynchronous as every backend's constructor is, so that one line changes backends. */
export async function wasm(options: WasmOptions = {}): Promise<Backend> {
  return wasmSync(options);
}
