/**
 * The rules of the Program format. Every Program that passes can be run by any backend without further checks; only
 * dynamic indices are left to look at while running.
 */
import { bytesPerElement, dtypes } from "../graph/dtype.ts";
import { ProgramError } from "../graph/errors.ts";
import { type Access, accessesOf } from "./accesses.ts";
import { accessInterval, elementOutOfBounds, isInjective } from "./bounds.ts";
import type { BufferSpec, Kernel, Program } from "./program.ts";
import type { Fail } from "./validateBody.ts";
import { checkKernel } from "./validateKernel.ts";

const arenaAlignment = 64;

/**
 * Throws ProgramError, naming the kernel (number and label) and the instruction, unless `program` keeps every rule:
 * - indices of buffers, slots and uniforms are in range; dtypes agree; values are defined once, before their use;
 * - every access is inside its buffer at every iteration its conditions allow. (Where the conditions are too involved to
 *   prove it and the iteration space is too large to try, the access is accepted.);
 * - temporaries are inside the arena, aligned, written before they are read, and never share bytes while both live;
 * - a kernel that writes a buffer touches it at the same element of every iteration only, so that iterations may run in
 *   any order; inputs are never written; every output is;
 * - the further rules of each kind of kernel, of segments and of epilogues.
 */
export function validateProgram(program: Program): void {
  const failProgram: Fail = (message) => {
    throw new ProgramError("program", message);
  };
  checkBuffers(program, failProgram);
  const written = new Set<number>();
  const accesses = program.kernels.map((kernel, index) => {
    const fail: Fail = (message) => failProgram(`kernel ${index} (${kernel.kind} "${kernel.label}"): ${message}`);
    checkKernel(program, kernel, fail);
    const list = accessesOf(kernel);
    for (const access of list) checkAccess(program, access, written, fail);
    checkOrderFree(kernel, list, fail);
    return list;
  });
  program.buffers.forEach(({ kind, size }, buffer) => {
    if (kind === "output" && size > 0 && !written.has(buffer)) failProgram(`output b${buffer} is never written`);
  });
  checkArena(program, accesses, failProgram);
}

const isCount = (n: unknown): boolean => Number.isSafeInteger(n) && (n as number) >= 0;

function checkBuffers(program: Program, fail: Fail): void {
  if (!isCount(program.arenaBytes)) fail(`arenaBytes ${program.arenaBytes} is not a whole non-negative number`);
  program.uniforms.forEach(({ name, dtype }, index) => {
    if (!["float32", "float64", "int32", "uint32", "bool"].includes(dtype)) {
      fail(`uniform ${index} (${name}): ${String(dtype)} is not a dtype arithmetic is done in`);
    }
  });
  program.buffers.forEach(({ dtype, size, kind, offset }, index) => {
    const failBuffer: Fail = (message) => fail(`buffer b${index}: ${message}`);
    if (!Object.hasOwn(dtypes, dtype)) failBuffer(`unknown dtype ${String(dtype)}`);
    if (!isCount(size)) failBuffer(`size ${size} is not a whole non-negative number`);
    if (!["input", "parameter", "temporary", "output"].includes(kind)) failBuffer(`unknown kind ${String(kind)}`);
    if (kind !== "temporary") {
      if (offset !== undefined) failBuffer(`${kind} has an arena offset; only temporaries have one`);
    } else if (offset === undefined) failBuffer("a temporary needs an arena offset");
    else if (!isCount(offset) || offset % arenaAlignment !== 0) {
      failBuffer(`arena offset ${offset} is not a multiple of ${arenaAlignment}`);
    } else if (offset + size * bytesPerElement(dtype) > program.arenaBytes) {
      failBuffer(`ends at byte ${offset + size * bytesPerElement(dtype)} of an arena of ${program.arenaBytes}`);
    }
  });
}

function checkAccess(program: Program, access: Access, written: Set<number>, fail: Fail): void {
  const { buffer, at, conditions, sizes, what } = access;
  const { size, kind } = program.buffers[buffer] as BufferSpec;
  const element = elementOutOfBounds(at, conditions, sizes, size);
  if (element !== undefined) fail(`${what}: reaches element ${element} of b${buffer}, which has ${size}`);
  if (access.kind === "write") {
    if (kind === "input") fail(`${what}: writes b${buffer}, an input`);
    written.add(buffer);
  } else if ((kind === "temporary" || kind === "output") && size > 0 && !written.has(buffer)) {
    if (accessInterval(at, conditions, sizes))
      fail(`${what}: reads b${buffer}, ${kind === "output" ? "an" : "a"} ${kind}, before anything is written to it`);
  }
}

/** `other` touches, at every iteration, the very element that `write` writes then, and no other iteration does. */
function sameElement(write: Access, other: Access): boolean {
  return (
    write.elementwise &&
    other.elementwise &&
    write.segment === other.segment &&
    write.at.offset === other.at.offset &&
    (other.at.dynamic?.length ?? 0) === 0 &&
    write.at.strides.every((stride, axis) => stride === other.at.strides[axis]) &&
    isInjective(write.at, write.sizes)
  );
}

function disjoint(a: Access, b: Access): boolean {
  const x = accessInterval(a.at, a.conditions, a.sizes);
  const y = accessInterval(b.at, b.conditions, b.sizes);
  return !x || !y || x.max < y.min || y.max < x.min;
}

/** Iterations may run in any order and at once: what one writes no other may touch. */
function checkOrderFree(kernel: Kernel, accesses: readonly Access[], fail: Fail): void {
  const byBuffer = Map.groupBy(accesses, ({ buffer }) => buffer);
  for (const write of accesses) {
    if (write.kind !== "write") continue;
    for (const other of byBuffer.get(write.buffer) as Access[]) {
      if (other === write) continue;
      if (kernel.kind === "scatterAdd" && other.what === write.what) continue;
      if (!sameElement(write, other) && !disjoint(write, other)) {
        fail(
          `${other.what} and ${write.what}: one writes what the other ${other.kind}s of b${write.buffer} at another iteration`,
        );
      }
    }
    const moves = write.at.dynamic?.length ?? 0;
    if (!write.elementwise || moves > 0) continue;
    const outer = kernel.kind === "loop" ? kernel.outer.length : write.sizes.length;
    const repeats = write.sizes.findIndex((size, axis) => axis < outer && size > 1 && write.at.strides[axis] === 0);
    const happens = write.sizes.every((size) => size > 0);
    if (happens && repeats >= 0)
      fail(`${write.what}: every iteration of variable ${repeats} writes the same element of b${write.buffer}`);
  }
}

/** The bytes of a temporary, and the first and last kernel that touches it. */
interface Life {
  readonly buffer: number;
  readonly start: number;
  readonly end: number;
  first: number;
  last: number;
}

/** No two temporaries share bytes from the first write of each to its last use. */
function checkArena(program: Program, accesses: readonly (readonly Access[])[], fail: Fail): void {
  const lives = new Map<number, Life>();
  accesses.forEach((list, kernel) => {
    for (const { buffer } of list) {
      const { kind, offset = 0, size, dtype } = program.buffers[buffer] as BufferSpec;
      if (kind !== "temporary" || size === 0) continue;
      const life = lives.get(buffer);
      if (life) life.last = kernel;
      else
        lives.set(buffer, {
          buffer,
          start: offset,
          end: offset + size * bytesPerElement(dtype),
          first: kernel,
          last: kernel,
        });
    }
  });
  const ordered = [...lives.values()].sort((a, b) => a.start - b.start);
  ordered.forEach((a, position) => {
    for (let next = position + 1; next < ordered.length; next++) {
      const b = ordered[next] as Life;
      if (b.start >= a.end) break;
      if (a.last < b.first || b.last < a.first) continue;
      const [earlier, later] = a.first < b.first ? [a, b] : [b, a];
      if (
        earlier.last === later.first &&
        takesOver(program, earlier, later, accesses[later.first] as readonly Access[])
      )
        continue;
      fail(
        `temporaries b${earlier.buffer} (kernels ${earlier.first} to ${earlier.last}) and b${later.buffer} ` +
          `(kernels ${later.first} to ${later.last}) share arena bytes while both live`,
      );
    }
  });
}

/** In place: the kernel that reads `earlier` for the last time writes `later` over it, element by element. */
function takesOver(program: Program, earlier: Life, later: Life, accesses: readonly Access[]): boolean {
  const width = (life: Life) => bytesPerElement((program.buffers[life.buffer] as BufferSpec).dtype);
  if (earlier.start !== later.start || width(earlier) !== width(later)) return false;
  const reads = accesses.filter((access) => access.buffer === earlier.buffer);
  const writes = accesses.filter((access) => access.buffer === later.buffer);
  return reads.every(
    (read) =>
      read.kind === "read" &&
      writes.every((write) => write.kind !== "write" || (sameElement(write, read) && read.order < write.order)),
  );
}
