/**
 * Every touch of a buffer by a kernel, in one form: an affine view over an iteration space. The validator bounds and
 * orders them, the printer counts them.
 */
import { contiguousStrides, type Shape } from "../graph/shape.ts";
import type { Affine, Condition, ConvolutionKernel, Instruction, Kernel, Operand, Value } from "./program.ts";

export interface Access {
  readonly buffer: number;
  readonly kind: "read" | "write";
  /** Sizes of the variables that `at` and `conditions` are over. */
  readonly sizes: readonly number[];
  readonly at: Affine;
  readonly conditions: readonly Condition[];
  /** A load or store of a body: one element per iteration, in the body's order. Else the kernel's own traversal. */
  readonly elementwise: boolean;
  /** Position in the kernel, in execution order. */
  readonly order: number;
  readonly segment: number;
  /** Names it in messages: `v3` or `operand a`. */
  readonly what: string;
}

type Emit = (access: Omit<Access, "order">) => void;

function bodyAccesses(
  body: readonly Instruction[],
  sizes: readonly number[],
  buffers: readonly number[],
  segment: number,
  emit: Emit,
): void {
  for (const instruction of body) {
    if (instruction.op !== "load" && instruction.op !== "store") continue;
    emit({
      buffer: buffers[instruction.slot] as number,
      kind: instruction.op === "load" ? "read" : "write",
      sizes,
      at: instruction.at,
      conditions: (instruction.op === "load" ? instruction.conditions : undefined) ?? [],
      elementwise: true,
      segment,
      what: valueName(instruction.id),
    });
  }
}

export const valueName = (id: Value): string => `v${id}`;

/** Sizes of the result of a convolution kernel, and of its operands. */
export function convolutionShapes(kernel: ConvolutionKernel): { a: Shape; b: Shape; result: Shape } {
  switch (kernel.kind) {
    case "conv2d":
      return { a: kernel.x, b: kernel.weight, result: kernel.y };
    case "conv2dInputGradient":
      return { a: kernel.y, b: kernel.weight, result: kernel.x };
    case "conv2dWeightGradient":
      return { a: kernel.x, b: kernel.y, result: kernel.weight };
    default:
      return kernel.kind satisfies never;
  }
}

/** The variables of an epilogue: the axes of the contraction's result. */
export const epilogueSizes = (kernel: Extract<Kernel, { epilogue: unknown }>): Shape =>
  kernel.kind === "matmul" ? [...kernel.batch, kernel.m, kernel.n] : convolutionShapes(kernel).result;

/** Every access of `kernel`, in execution order. Slots and operands must name something (validated elsewhere). */
export function accessesOf(kernel: Kernel): Access[] {
  const found: Access[] = [];
  const emit: Emit = (access) => found.push({ ...access, order: found.length });
  const whole = (kind: Access["kind"], what: string, { buffer, offset, strides }: Operand, sizes: Shape) =>
    emit({ buffer, kind, sizes, at: { offset, strides }, conditions: [], elementwise: false, segment: 0, what });
  const contiguous = (kind: Access["kind"], what: string, buffer: number, shape: Shape) =>
    whole(kind, what, { buffer, offset: 0, strides: contiguousStrides(shape) }, shape);

  switch (kernel.kind) {
    case "loop": {
      const several = kernel.segments.length > 1;
      kernel.segments.forEach((segment, index) => {
        const outer = several ? [segment.size] : kernel.outer;
        for (const stage of kernel.stages) {
          // An outer stage runs once, whatever the inner sizes: its inner variables are as good as of size 1.
          const inner = stage.over === "inner" ? kernel.inner : kernel.inner.map(() => 1);
          bodyAccesses(stage.body, [...outer, ...inner], segment.buffers, index, emit);
        }
      });
      break;
    }
    case "matmul":
      whole("read", "operand a", kernel.a, [...kernel.batch, kernel.m, kernel.k]);
      whole("read", "operand b", kernel.b, [...kernel.batch, kernel.k, kernel.n]);
      bodyAccesses(kernel.epilogue.body, epilogueSizes(kernel), kernel.epilogue.buffers, 0, emit);
      break;
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient": {
      const { a, b, result } = convolutionShapes(kernel);
      contiguous("read", "operand a", kernel.a, a);
      contiguous("read", "operand b", kernel.b, b);
      bodyAccesses(kernel.epilogue.body, result, kernel.epilogue.buffers, 0, emit);
      break;
    }
    case "scatterAdd":
      whole("read", "operand index", kernel.index, kernel.shape);
      whole("read", "operand source", kernel.source, kernel.shape);
      contiguous("read", "operand target", kernel.target, kernel.targetShape);
      contiguous("write", "operand target", kernel.target, kernel.targetShape);
      break;
    case "cumSum":
    case "argSort": {
      const shape = [kernel.outer, kernel.size, kernel.inner];
      contiguous("read", "operand input", kernel.input, shape);
      contiguous("write", "operand output", kernel.output, shape);
      break;
    }
    default:
      kernel satisfies never;
  }
  return found;
}
