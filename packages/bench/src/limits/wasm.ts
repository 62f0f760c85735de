/** Just enough of the WebAssembly binary format to assemble one function over numbers, locals and a memory. */

/** Codes of value types. */
export const types = { i32: 0x7f, f32: 0x7d, v128: 0x7b } as const;
export type ValueType = keyof typeof types;

/** Unsigned LEB128, as counts, indices and offsets are written. */
export function unsigned(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >>> 7;
  return rest === 0 ? [low] : [low | 0x80, ...unsigned(rest)];
}

/** Signed LEB128, as integer constants are written. */
export function signed(value: number): number[] {
  const low = value & 0x7f;
  const rest = value >> 7;
  const complete = (rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0);
  return complete ? [low] : [low | 0x80, ...signed(rest)];
}

/** Instructions, each as its bytes. */
export const op = {
  get: (local: number) => [0x20, ...unsigned(local)],
  set: (local: number) => [0x21, ...unsigned(local)],
  tee: (local: number) => [0x22, ...unsigned(local)],
  i32Const: (value: number) => [0x41, ...signed(value)],
  i32Add: [0x6a],
  i32Sub: [0x6b],
  f32Add: [0x92],
  f32Mul: [0x94],
  f32Const: (value: number) => [0x43, ...new Uint8Array(Float32Array.of(value).buffer)],
  f32x4Splat: [0xfd, 0x13],
  f32x4ExtractLane: (lane: number) => [0xfd, 0x1f, lane],
  f32x4Add: [0xfd, ...unsigned(0xe4)],
  f32x4Mul: [0xfd, ...unsigned(0xe6)],
  /** a·b + c, fused where the processor can. */
  f32x4RelaxedMadd: [0xfd, ...unsigned(0x105)],
  /** Address on the stack, plus `offset`; alignment of 16 bytes is 2⁴. */
  v128Load: (offset: number) => [0xfd, 0x00, 4, ...unsigned(offset)],
  v128Store: (offset: number) => [0xfd, 0x0b, 4, ...unsigned(offset)],
  /** From address, to address and length on the stack. */
  memoryCopy: [0xfc, 0x0a, 0, 0],
  /** Repeats `body` as long as it leaves something other than 0. */
  loopWhile: (body: readonly number[]) => [0x03, 0x40, ...body, 0x0d, 0, 0x0b],
} as const;

export interface Func {
  readonly parameters: readonly ValueType[];
  readonly result?: ValueType;
  /** Further locals, numbered after the parameters. */
  readonly locals: readonly ValueType[];
  readonly body: readonly number[];
}

const section = (id: number, content: readonly number[]) => [id, ...unsigned(content.length), ...content];
const vector = (items: readonly (readonly number[])[]) => [...unsigned(items.length), ...items.flat()];
const text = (value: string) => vector([...value].map((character) => [character.charCodeAt(0)]));

/** A module that exports `func` as `run`, with the memory that is imported as `m.memory` if `memory`. */
export function assemble(func: Func, options: { readonly memory?: boolean } = {}): Uint8Array<ArrayBuffer> {
  const results = func.result ? [[types[func.result]]] : [];
  const signature = [
    0x60,
    ...vector(func.parameters.map((parameter) => [types[parameter]])),
    ...vector(results as number[][]),
  ];
  const code = [...vector(func.locals.map((local) => [1, types[local]])), ...func.body, 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, vector([signature])),
    ...(options.memory ? section(2, vector([[...text("m"), ...text("memory"), 0x02, 0x00, 1]])) : []),
    ...section(3, vector([[0]])),
    ...section(7, vector([[...text("run"), 0x00, 0]])),
    ...section(10, vector([[...unsigned(code.length), ...code]])),
  ]);
}

/** The part of the engine's interface that is used here; TypeScript has it only among the types of browsers. */
interface Engine {
  validate(bytes: Uint8Array): boolean;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
    imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: { readonly run: Run } };
  readonly Memory: new (size: { readonly initial: number }) => Memory;
}
export interface Memory {
  readonly buffer: ArrayBuffer;
}
export type Run = (...parameters: readonly number[]) => number;

const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
const page = 65_536;

/** A memory of so many bytes, a multiple of 64 KiB. */
export const memoryOf = (bytes: number): Memory => new engine.Memory({ initial: bytes / page });

/** The function of an assembled module; undefined where the engine does not have its instructions. */
export function instantiate(bytes: Uint8Array, memory?: Memory): Run | undefined {
  if (!engine.validate(bytes)) return undefined;
  return new engine.Instance(new engine.Module(bytes), { m: { memory } }).exports.run;
}
