/** The part of the engine's WebAssembly interface that is used here; TypeScript has it only among the types of browsers. */

export interface WasmMemory {
  readonly buffer: ArrayBufferLike;
  grow(pages: number): number;
}
export interface WasmModule {
  readonly wasmModule?: never;
}
export type WasmFunction = (...args: readonly number[]) => number;
export interface WasmInstance {
  readonly exports: Readonly<Record<string, WasmFunction>>;
}
export type WasmImports = Readonly<Record<string, Readonly<Record<string, unknown>>>>;

interface Engine {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (module: WasmModule, imports?: WasmImports) => WasmInstance;
  readonly Memory: new (size: {
    readonly initial: number;
    readonly maximum?: number;
    readonly shared?: boolean;
  }) => WasmMemory;
}

/** Undefined where there is no WebAssembly, as in V8's JIT-less mode. */
export const engine = (globalThis as unknown as { readonly WebAssembly?: Engine }).WebAssembly;
