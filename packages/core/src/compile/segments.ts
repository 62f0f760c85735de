/**
 * Kernels that do the same to different parameters become one: an optimizer's update over all parameters of a group is a
 * single launch over many buffer sets, however many tensors the model has.
 */
import type { Affine, BufferSpec, Instruction, Kernel, LoopKernel, Segment, Stage } from "../backend/program.ts";
import { exact } from "../graph/attributes.ts";
import { kernelBuffers, type Use } from "./kernelBuffers.ts";

/** A kernel that can be one segment of many: flat, element-wise, contiguous or broadcast accesses, writes a parameter. */
function flatKernel(kernel: Kernel, use: Use, buffers: readonly BufferSpec[]): LoopKernel | undefined {
  if (kernel.kind !== "loop" || kernel.segments.length !== 1 || kernel.outer.length > 1 || kernel.inner.length > 0)
    return undefined;
  if (kernel.stages.length !== 1) return undefined;
  const table = kernel.segments[0]?.buffers as readonly number[];
  const body = bodyOf(kernel);
  const plain = (affine: Affine): boolean =>
    affine.offset === 0 && !affine.dynamic && (affine.strides[0] ?? 0) <= 1 && (affine.strides[0] ?? 0) >= 0;
  for (const instruction of body) {
    if (instruction.op === "inside" || (instruction.op === "index" && !plain(instruction.affine))) return undefined;
    if (instruction.op === "load" && (instruction.conditions || !plain(instruction.at))) return undefined;
    if (instruction.op === "store" && !plain(instruction.at)) return undefined;
  }
  const writesParameter = [...use.writes].some((b) => buffers[b]?.kind === "parameter");
  return writesParameter && table.length > 0 ? kernel : undefined;
}

const bodyOf = (kernel: LoopKernel): readonly Instruction[] => (kernel.stages[0] as Stage).body;

interface Shape {
  readonly kernel: LoopKernel;
  /** Everything but strides; equal for kernels that can share a body. */
  readonly signature: string;
  readonly strides: readonly number[];
  readonly size: number;
}

function shapeOf(kernel: LoopKernel, buffers: readonly BufferSpec[]): Shape {
  const { size, buffers: table } = kernel.segments[0] as Segment;
  const strides: number[] = [];
  const body = bodyOf(kernel).map((instruction) => {
    if (instruction.op === "index") {
      strides.push(instruction.affine.strides[0] ?? 0);
      return { ...instruction, affine: null };
    }
    if (instruction.op !== "load" && instruction.op !== "store") return instruction;
    strides.push(instruction.at.strides[0] ?? 0);
    return { ...instruction, at: null };
  });
  const specs = table.map((b) => `${buffers[b]?.dtype}${buffers[b]?.kind === "temporary" ? "" : buffers[b]?.kind}`);
  const positions = table.map((b) => table.indexOf(b));
  return { kernel, signature: JSON.stringify([body, specs, positions], exact), strides, size };
}

/** Kernels in a runnable order, mergeable ones merged at the place of the last. */
export function mergeSegments(kernels: readonly Kernel[], buffers: readonly BufferSpec[]): Kernel[] {
  const uses = kernels.map(kernelBuffers);
  const groups = new Map<string, { index: number; shape: Shape }[]>();
  for (const [index, kernel] of kernels.entries()) {
    const flat = flatKernel(kernel, uses[index] as Use, buffers);
    if (!flat) continue;
    const shape = shapeOf(flat, buffers);
    const group = groups.get(shape.signature);
    if (group) group.push({ index, shape });
    else groups.set(shape.signature, [{ index, shape }]);
  }
  const result: (Kernel | undefined)[] = [...kernels];
  for (const group of groups.values()) {
    if (group.length < 2) continue;
    // A size of 1 cannot tell a broadcast from a contiguous access, so it follows the others.
    const pattern = (group.find(({ shape }) => shape.size > 1) ?? group[0])?.shape.strides as readonly number[];
    const members = group.filter(({ shape }) => shape.size === 1 || shape.strides.every((s, i) => s === pattern[i]));
    const last = members[members.length - 1]?.index as number;
    const movable = members.filter(({ index }) => canMove(uses, index, last));
    if (movable.length < 2) continue;
    for (const { index } of movable) result[index] = undefined;
    result[last] = merge(
      movable.map(({ shape }) => shape),
      pattern,
    );
  }
  return result.filter((kernel) => kernel !== undefined);
}

/** Nothing between reads what the kernel writes, or writes what it touches. */
function canMove(uses: readonly Use[], from: number, to: number): boolean {
  const moved = uses[from] as Use;
  for (let i = from + 1; i <= to; i++) {
    const { reads, writes } = uses[i] as Use;
    for (const buffer of moved.writes) if (reads.has(buffer) || writes.has(buffer)) return false;
    for (const buffer of moved.reads) if (writes.has(buffer)) return false;
  }
  return true;
}

function merge(shapes: readonly Shape[], pattern: readonly number[]): LoopKernel {
  const first = (shapes[0] as Shape).kernel;
  let access = 0;
  const body = bodyOf(first).map((instruction) => {
    const at = (): Affine => ({ offset: 0, strides: [pattern[access++] as number] });
    // Counts from 0 in each segment, as accesses do.
    if (instruction.op === "index") return { ...instruction, affine: at() };
    if (instruction.op !== "load" && instruction.op !== "store") return instruction;
    return { ...instruction, at: at() };
  });
  return {
    ...first,
    outer: [shapes.reduce((sum, { size }) => sum + size, 0)],
    stages: [{ over: "outer", body }],
    segments: shapes.map(({ kernel }) => kernel.segments[0] as Segment),
  };
}
