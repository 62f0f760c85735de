/** Runs single functions of generated code, for the tests of those who write them. */
import { Code } from "./code.ts";
import type { FunctionBuilder } from "./emit/index.ts";
import { engine } from "./engine.ts";
import { detectFeatures, type Features } from "./features.ts";
import { mathFunctions } from "./program/mathFunctions.ts";

export interface TestFunction {
  readonly memory: ArrayBuffer;
  /** Arguments are i32. */
  call(...args: readonly number[]): void;
}

const { simd, relaxed } = detectFeatures();

/** The kinds of engine that code is written for, as far as this one can play them. */
export const testFeatures: readonly { readonly name: string; readonly features: Features }[] = [
  { name: "relaxed SIMD", features: { simd, relaxed, sharedMemory: false } },
  { name: "SIMD", features: { simd, relaxed: false, sharedMemory: false } },
  { name: "no SIMD", features: { simd: false, relaxed: false, sharedMemory: false } },
];

/** A function of `parameters` i32 parameters over a memory of its own, of `pages` 64 KiB. */
export function testFunction(
  features: Features,
  parameters: number,
  build: (f: FunctionBuilder, code: Code) => void,
  pages = 16,
): TestFunction {
  const code = new Code(features, pages, false);
  const f = code.module.function(new Array<"i32">(parameters).fill("i32"), [], (body) => build(body, code));
  code.module.export("f", f);
  if (!engine) throw new Error("this engine has no WebAssembly");
  const memory = new engine.Memory({ initial: pages, maximum: pages });
  const imports = { env: { memory }, math: mathFunctions };
  const { exports } = new engine.Instance(new engine.Module(code.module.toBytes()), imports);
  return { memory: memory.buffer as ArrayBuffer, call: exports.f as TestFunction["call"] };
}
