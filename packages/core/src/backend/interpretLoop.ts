/** Loop kernels, executed, and the memory and nested loops that all of the interpreter uses. */
import { bytesPerElement, type ComputeDType, type DType, roundTo } from "../graph/dtype.ts";
import type { Shape } from "../graph/shape.ts";
import { type Cells, compileBody, newFrame } from "./interpretBody.ts";
import type { LoopKernel, Program } from "./program.ts";

/** A buffer of the reference backend. */
export class ReferenceBuffer implements Cells {
  readonly dtype: DType;
  readonly data: Float64Array;
  readonly #rounding: boolean;
  freed = false;

  constructor(dtype: DType, size: number, rounding: boolean) {
    this.dtype = dtype;
    this.data = new Float64Array(size);
    this.#rounding = rounding;
  }

  store(index: number, value: number): void {
    this.data[index] = this.dtype === "float32" && !this.#rounding ? value : roundTo(this.dtype, value);
  }

  get bytes(): number {
    return this.data.length * bytesPerElement(this.dtype);
  }
}

export interface Memory {
  /** Every buffer of the Program, temporaries included. */
  readonly buffers: readonly ReferenceBuffer[];
  readonly uniforms: readonly number[];
}

/** One kernel, ready to run. */
export type Run = (memory: Memory) => void;

/** Calls `visit` at every point of a space in row-major order, its coordinates in `variables` from `first` on. */
export function forEachPoint(sizes: Shape, variables: number[], first: number, visit: () => void, axis = 0): void {
  if (axis === sizes.length) {
    visit();
    return;
  }
  const size = sizes[axis] as number;
  for (let i = 0; i < size; i++) {
    variables[first + axis] = i;
    forEachPoint(sizes, variables, first, visit, axis + 1);
  }
}

export function compileLoop(program: Program, { label, outer, inner, stages, segments }: LoopKernel): Run {
  const valueDTypes = new Map<number, ComputeDType>();
  const passes = stages.map(({ over, body }) => ({
    over,
    body: compileBody(body, label, program.uniforms, valueDTypes),
  }));
  const frame = newFrame(
    stages.map(({ body }) => body),
    outer.length + inner.length,
  );
  return ({ buffers, uniforms }) => {
    frame.uniforms = uniforms;
    for (const segment of segments) {
      frame.slots = segment.buffers.map((buffer) => buffers[buffer] as ReferenceBuffer);
      const space = segments.length > 1 ? [segment.size] : outer;
      forEachPoint(space, frame.variables, 0, () => {
        for (const { over, body } of passes) {
          body.begin(frame);
          frame.position = 0;
          if (over === "outer") body.run(frame);
          else {
            forEachPoint(inner, frame.variables, outer.length, () => {
              body.run(frame);
              frame.position++;
            });
          }
        }
      });
    }
  };
}
