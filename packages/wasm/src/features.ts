/** What the engine has of WebAssembly's later parts, found out by validating a few bytes of each. */
import { f32, f32x4, i32, i32x4, ModuleBuilder, type V128 } from "./emit/index.ts";
import { engine } from "./engine.ts";

export interface Features {
  /** 128-bit vectors. */
  readonly simd: boolean;
  /** Relaxed SIMD: multiply-add in one instruction. Only with `simd`. */
  readonly relaxed: boolean;
  /** Memory that threads can share: needs cross-origin isolation in a browser. */
  readonly sharedMemory: boolean;
}

const gives = (vector: V128): Uint8Array => {
  const module = new ModuleBuilder();
  module.function([], ["i32"], (f) => f.return(i32x4.extractLane(vector, 0)));
  return module.toBytes();
};

let found: Features | undefined;

/** Of the engine at hand. */
export function detectFeatures(): Features {
  if (found) return found;
  const has = (bytes: Uint8Array): boolean => engine?.validate(bytes) ?? false;
  const one = f32x4.splat(f32.const(1));
  const simd = has(gives(i32x4.splat(i32.const(1))));
  const { crossOriginIsolated } = globalThis as { readonly crossOriginIsolated?: boolean };
  found = {
    simd,
    relaxed: simd && has(gives(f32x4.relaxedMadd(one, one, one))),
    // Node has no such property; browsers that are not isolated have no SharedArrayBuffer.
    sharedMemory: typeof SharedArrayBuffer !== "undefined" && crossOriginIsolated !== false,
  };
  return found;
}
