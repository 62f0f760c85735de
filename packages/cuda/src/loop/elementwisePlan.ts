/** How an element-wise body is spread over threads: vectors, how many of them a thread has, blocks. */
import { type Affine, bytesPerElement, type DType, type Instruction, isExpensive, sizeOf } from "@thalweg/core/backend";
import type { Target } from "../target.ts";
import type { Parts } from "./elementwiseParts.ts";
import { type ElementwiseSpace, isLoad, isStore } from "./elementwiseSpace.ts";

/** Bytes of the widest memory access a thread has. */
const accessBytes = 16;
/**
 * Bytes a thread should have under way. A multiprocessor needs some 30 KB in flight to saturate its share of an H200's memory,
 * and 64 bytes are enough for that at a quarter of the threads it can hold.
 */
const bytesInFlight = 64;
/** Simple operations a thread's straight-line code may have before fewer vectors are better. */
const workLimit = 600;

export interface Spread {
  /** Elements of a vector. */
  readonly width: number;
  /** Vectors a thread handles at once, the threads of a block apart. */
  readonly copies: number;
  /** Per block. */
  readonly threads: number;
}

/** What the code of an instruction amounts to, in simple operations on one element. */
function workOf(instruction: Instruction): number {
  if (isExpensive(instruction)) return 25;
  switch (instruction.op) {
    case "constant":
    case "uniform":
      return 0;
    case "div":
    case "sqrt":
    case "rsqrt":
    case "reciprocal":
    case "mod":
      return 10;
    default:
      return 1;
  }
}

const workOfBody = (body: readonly Instruction[]): number => body.reduce((sum, each) => sum + workOf(each), 0);

/** Whether vectors of `width` elements along `variable` are aligned: all else the address depends on is a multiple. */
function isAligned({ offset, strides, dynamic = [] }: Affine, variable: number, width: number): boolean {
  return (
    offset % width === 0 &&
    strides.every((stride, other) => other === variable || stride % width === 0) &&
    dynamic.every(({ stride }) => stride % width === 0)
  );
}

/**
 * The most neighbours along `variable` that make whole vectors of every store, none larger than an access can be. Loads need
 * not be aligned: a thread fetches such neighbours one by one, from lines it has just touched.
 */
export function vectorWidthAlong(
  { sizes, body }: ElementwiseSpace,
  variable: number,
  dtypes: readonly DType[],
  needsWhole: boolean,
): number {
  const accesses = body.filter((instruction) => isLoad(instruction) || isStore(instruction));
  const moving = accesses.filter(({ at }) => at.strides[variable] === 1);
  const largest = Math.max(1, ...moving.map(({ slot }) => bytesPerElement(dtypes[slot] as DType)));
  const stores = accesses.filter(isStore);
  for (let width = Math.min(8, accessBytes / largest); width > 1; width /= 2) {
    if (needsWhole && (sizes[variable] as number) % width !== 0) continue;
    if (stores.every(({ at }) => at.strides[variable] === 1 && isAligned(at, variable, width))) return width;
  }
  return 1;
}

/** The most neighbours along `variable`, of `size`, that a load can fetch as one vector. */
export function loadWidthAlong(load: { readonly at: Affine }, size: number, variable: number, bytes: number): number {
  for (let width = Math.min(8, accessBytes / bytes); width > 1; width /= 2) {
    if (load.at.strides[variable] === 1 && size % width === 0 && isAligned(load.at, variable, width)) return width;
  }
  return 1;
}

const threadsPerBlock = 256;

/**
 * `elements` in all, in vectors of `width`. Each thread has all of its work at once and its block ends with it: a grid-stride
 * loop would save the little that is computed once per thread, but its loads would wait for the stores of the round before.
 */
export function spreadOf(
  elements: number,
  width: number,
  { loads, rest }: Parts,
  dtypes: readonly DType[],
  { multiprocessors }: Target,
): Spread {
  // So few that one element per thread does not fill the device: latency is all that counts.
  if (elements <= multiprocessors * threadsPerBlock) {
    return { width: 1, copies: 1, threads: elements <= multiprocessors * 128 ? 128 : threadsPerBlock };
  }
  const accesses = [...loads, ...rest].filter((instruction) => isLoad(instruction) || isStore(instruction));
  const bytes = (kind: "load" | "store"): number =>
    accesses.reduce((sum, { op, slot }) => (op === kind ? sum + bytesPerElement(dtypes[slot] as DType) : sum), 0);
  const perVector = Math.max(1, bytes("load"), bytes("store")) * width;
  const work = Math.max(1, workOfBody(loads) + workOfBody(rest)) * width;
  const most = width === 1 ? 8 : 4;
  const wanted = Math.min(most, bytesInFlight / perVector, workLimit / work);
  // Two blocks for every multiprocessor at least.
  const room = elements / (width * threadsPerBlock * 2 * multiprocessors);
  const copies = Math.max(1, 2 ** Math.floor(Math.log2(Math.max(1, Math.min(wanted, room)))));
  // Smaller blocks reach more multiprocessors.
  const threads = elements / (width * copies * threadsPerBlock) < 2 * multiprocessors ? 128 : threadsPerBlock;
  return { width, copies, threads };
}

/** Past the last element: what threads of the last block may reckon with before they find that there is nothing to do. */
const overshoot = 1 << 20;

/** The integers that hold every address, condition and index of the body over `sizes`. */
export function indexType({ sizes, body }: ElementwiseSpace): "int" | "long long" {
  const fits = ({ offset, strides, dynamic = [] }: Affine): boolean => {
    let reach = Math.abs(offset) + overshoot;
    strides.forEach((stride, variable) => {
      reach += Math.abs(stride) * (sizes[variable] as number);
    });
    for (const { stride, size } of dynamic) reach += Math.abs(stride) * size;
    return reach < 2 ** 31;
  };
  const all = body.every((instruction) => {
    if ("at" in instruction && !fits(instruction.at)) return false;
    if (instruction.op === "index") return fits(instruction.affine);
    return !("conditions" in instruction) || (instruction.conditions ?? []).every(({ affine }) => fits(affine));
  });
  return all && sizeOf(sizes) + overshoot < 2 ** 31 ? "int" : "long long";
}
