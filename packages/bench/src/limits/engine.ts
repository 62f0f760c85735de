/** The part of the engine's WebAssembly interface that is used here; TypeScript has it only among the types of browsers. */
import type { FunctionBuilder, ValueType } from "@thalweg/wasm/emit";
import { ModuleBuilder } from "@thalweg/wasm/emit";

interface Engine {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: { readonly run: Run } };
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => Memory;
}
export interface Memory {
  readonly buffer: ArrayBuffer;
}
export type Run = (...parameters: readonly number[]) => number;

const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
const page = 65_536;
const mostPages = 65_536;

/** A memory of so many bytes, a multiple of 64 KiB. */
export const memoryOf = (bytes: number): Memory => new engine.Memory({ initial: bytes / page, maximum: bytes / page });

/** A module of one function, which it exports as `run`; with the memory that is imported as `m.memory` if `memory`. */
export function moduleOf(
  parameters: readonly ValueType[],
  results: readonly ValueType[],
  build: (f: FunctionBuilder) => void,
  { memory = false } = {},
): Uint8Array {
  const module = new ModuleBuilder();
  if (memory) module.importMemory({ module: "m", name: "memory", initial: 1, maximum: mostPages, shared: false });
  module.export("run", module.function(parameters, results, build));
  return module.toBytes();
}

/** The function of a module; undefined where the engine does not have its instructions. */
export function instantiate(bytes: Uint8Array, memory?: Memory): Run | undefined {
  if (!engine.validate(bytes)) return undefined;
  return new engine.Instance(new engine.Module(bytes), { m: { memory } }).exports.run;
}
