/** Which buffers a kernel reads and writes, and the same kernel over other buffers. */
import type { Epilogue, Instruction, Kernel } from "../backend/program.ts";

export interface Use {
  readonly reads: ReadonlySet<number>;
  readonly writes: ReadonlySet<number>;
}

export function kernelBuffers(kernel: Kernel): Use {
  const reads = new Set<number>();
  const writes = new Set<number>();
  const body = (instructions: readonly Instruction[], tables: readonly (readonly number[])[]): void => {
    for (const instruction of instructions) {
      if (instruction.op !== "load" && instruction.op !== "store") continue;
      const into = instruction.op === "load" ? reads : writes;
      for (const table of tables) into.add(table[instruction.slot] as number);
    }
  };
  switch (kernel.kind) {
    case "loop":
      {
        const tables = kernel.segments.map((segment) => segment.buffers);
        for (const stage of kernel.stages) body(stage.body, tables);
      }
      break;
    case "matmul":
      reads.add(kernel.a.buffer).add(kernel.b.buffer);
      body(kernel.epilogue.body, [kernel.epilogue.buffers]);
      break;
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      reads.add(kernel.a).add(kernel.b);
      body(kernel.epilogue.body, [kernel.epilogue.buffers]);
      break;
    case "scatterAdd":
      reads.add(kernel.index.buffer).add(kernel.source.buffer).add(kernel.target);
      writes.add(kernel.target);
      break;
    case "cumSum":
    case "argSort":
      reads.add(kernel.input);
      writes.add(kernel.output);
      break;
    default:
      kernel satisfies never;
  }
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
