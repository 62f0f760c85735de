/** Which buffers a kernel reads and writes, and the same kernel over other buffers. */
import { accessesOf } from "../backend/accesses.ts";
import type { Epilogue, Kernel } from "../backend/program.ts";

export interface Use {
  readonly reads: ReadonlySet<number>;
  readonly writes: ReadonlySet<number>;
}

export function kernelBuffers(kernel: Kernel): Use {
  const reads = new Set<number>();
  const writes = new Set<number>();
  for (const { kind, buffer } of accessesOf(kernel)) (kind === "read" ? reads : writes).add(buffer);
  return { reads, writes };
}

export function mapBuffers(kernel: Kernel, map: (buffer: number) => number): Kernel {
  const tail = (epilogue: Epilogue): Epilogue => ({ ...epilogue, buffers: epilogue.buffers.map(map) });
  switch (kernel.kind) {
    case "loop":
      return { ...kernel, segments: kernel.segments.map((s) => ({ ...s, buffers: s.buffers.map(map) })) };
    case "matmul":
      return {
        ...kernel,
        a: { ...kernel.a, buffer: map(kernel.a.buffer) },
        b: { ...kernel.b, buffer: map(kernel.b.buffer) },
        epilogue: tail(kernel.epilogue),
      };
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      return { ...kernel, a: map(kernel.a), b: map(kernel.b), epilogue: tail(kernel.epilogue) };
    case "scatterAdd":
      return {
        ...kernel,
        target: map(kernel.target),
        index: { ...kernel.index, buffer: map(kernel.index.buffer) },
        source: { ...kernel.source, buffer: map(kernel.source.buffer) },
      };
    case "cumSum":
    case "argSort":
      return { ...kernel, input: map(kernel.input), output: map(kernel.output) };
    default:
      return kernel satisfies never;
  }
}
