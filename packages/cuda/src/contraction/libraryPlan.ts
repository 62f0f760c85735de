/** Gives products to cuBLASLt where that costs less: whole, or the product alone with a loop for its epilogue after. */
import {
  bytesPerElement,
  type DType,
  type Instruction,
  type LoopKernel,
  type MatmulKernel,
  operandsOf,
  type Program,
} from "@thalweg/core/backend";
import type { Argument, CompiledKernel, KernelContext, Launch } from "../kernel/launch.ts";
import { compileLoop } from "../loop/index.ts";
import type { Element } from "./element.ts";
import { describeProduct, type LibraryResult, productLaunch, storedResult, workspaceBytes } from "./library.ts";
import { libraryEpilogue } from "./libraryEpilogue.ts";
import { batchSize, type Product, workOf } from "./product.ts";
import { launchCycles } from "./tiling.ts";

/** What a call of cuBLASLt in a graph takes beyond a launch of our own: its own launches, and filling larger pipelines. */
const libraryCycles = 1500;
/**
 * Multiply-adds from which cuBLASLt is asked at all. What is smaller takes a few microseconds whoever computes it, most of
 * them latency, and our own kernel has the epilogue in the same launch.
 */
const leastWork = 5e7;
/** Bytes that a multiprocessor reads or writes per cycle when all do. */
const memoryRate = 16;
/** No more memory than this is taken for a product before its epilogue. */
const mostScratch = 2 ** 31;

/** With more buffers than this a loop takes them from a table, which cannot name scratch memory. */
const mostBuffers = 40;

export interface LibraryPlan {
  /** It may take. */
  readonly cycles: number;
  compile(): CompiledKernel;
}

const align = (bytes: number): number => Math.ceil(bytes / 256) * 256;

/** `kernel` is what `product` was made of. */
export function planLibrary(
  kernel: MatmulKernel,
  product: Product,
  element: Element,
  context: KernelContext,
): LibraryPlan | undefined {
  if (!context.target.cublasLt || element.libraryRate === 0 || workOf(product) < leastWork) return undefined;
  const cycles = productCycles(product, element, context);
  return planWhole(product, cycles, context) ?? planWithLoop(kernel, product, cycles, context);
}

function productCycles(product: Product, element: Element, { target }: KernelContext): number {
  const { rows, columns, depth, a, b } = product;
  const operandBytes = rows * depth * bytesPerElement(a.dtype) + columns * depth * bytesPerElement(b.dtype);
  const compute = workOf(product) / element.libraryRate;
  const memory = (batchSize(product) * operandBytes) / memoryRate;
  return launchCycles + libraryCycles + Math.max(compute, memory) / target.multiprocessors;
}

/** The epilogue is one of cuBLASLt's own. */
function planWhole(product: Product, cycles: number, context: KernelContext): LibraryPlan | undefined {
  const { program, target, guarded } = context;
  const epilogue = libraryEpilogue(product, program);
  if (epilogue === undefined) return undefined;
  const { buffers } = product.epilogue;
  // A product does not ask whether the run has failed.
  if (guarded && program.buffers[buffers[epilogue.store.slot] as number]?.kind !== "temporary") return undefined;
  const result = storedResult(product, epilogue, program);
  const description = result && describeProduct(product, result, epilogue, target);
  if (description === undefined) return undefined;
  const argument = (access: Extract<Instruction, { op: "load" | "store" }>): Argument => {
    const buffer = buffers[access.slot] as number;
    return {
      kind: "buffer",
      buffer,
      offset: access.at.offset * bytesPerElement(program.buffers[buffer]?.dtype as DType),
    };
  };
  const launch = productLaunch(
    description,
    product,
    {
      d: argument(epilogue.store),
      ...(epilogue.residual ? { c: argument(epilogue.residual) } : {}),
      ...(epilogue.bias ? { bias: argument(epilogue.bias) } : {}),
    },
    0,
  );
  return {
    cycles,
    compile: () => ({ launches: [launch], scratchBytes: description.workspaceBytes, counterBytes: 0 }),
  };
}

/** What the sums can be kept in without loss: a 16-bit dtype if that is what the epilogue first rounds them to. */
function sumDType({ epilogue, dtype, a }: Product): DType {
  const sums = new Set(epilogue.body.filter(({ op }) => op === "accumulator").map(({ id }) => id));
  const users = epilogue.body.filter((instruction) => operandsOf(instruction).some((value) => sums.has(value)));
  const rounded = users.every((user) => user.op === "roundTo" && user.to === a.dtype);
  return rounded && users.length > 0 ? a.dtype : dtype;
}

/** The product goes to scratch memory, from where a loop continues. */
function planWithLoop(
  kernel: MatmulKernel,
  product: Product,
  cycles: number,
  context: KernelContext,
): LibraryPlan | undefined {
  const { rows, columns } = product;
  const dtype = sumDType(product);
  const elements = batchSize(product) * rows * columns;
  const bytes = elements * bytesPerElement(dtype);
  const result: LibraryResult = { dtype, leading: columns, batchStride: rows * columns };
  const description = describeProduct(product, result, { scale: 1 }, context.target);
  if (description === undefined || bytes > mostScratch || product.epilogue.buffers.length > mostBuffers)
    return undefined;
  const traffic = (2 * bytes) / (memoryRate * context.target.multiprocessors);
  return {
    cycles: cycles + launchCycles + traffic,
    compile: () => {
      const workspace = align(bytes);
      const after = workspace + workspaceBytes(context.target);
      const loop = compileContinuation(kernel, product, { dtype, size: elements }, context, after);
      return {
        launches: [
          productLaunch(description, product, { d: { kind: "scratch", offset: 0 } }, workspace),
          ...loop.launches,
        ],
        scratchBytes: after + loop.scratchBytes,
        counterBytes: loop.counterBytes,
      };
    },
  };
}

/** The epilogue as a loop kernel over sums that lie at the beginning of the scratch memory; its own scratch is at `after`. */
function compileContinuation(
  { batch, m, n, label }: MatmulKernel,
  { rows, columns, rowVariable, columnVariable, epilogue }: Product,
  sums: { readonly dtype: DType; readonly size: number },
  context: KernelContext,
  after: number,
): CompiledKernel {
  const { program } = context;
  const virtual = program.buffers.length;
  const strides = batch.map((_, axis) => rows * columns * batch.slice(axis + 1).reduce((x, y) => x * y, 1));
  strides[rowVariable] = columns;
  strides[columnVariable] = 1;
  const body = epilogue.body.map((instruction): Instruction => {
    if (instruction.op !== "accumulator") return instruction;
    const { id, dtype } = instruction;
    return { id, op: "load", dtype, slot: epilogue.buffers.length, at: { offset: 0, strides } };
  });
  const loop: LoopKernel = {
    kind: "loop",
    label,
    outer: [...batch, m, n],
    inner: [],
    stages: [{ over: "outer", body }],
    segments: [{ size: sums.size, buffers: [...epilogue.buffers, virtual] }],
  };
  const extended: Program = { ...program, buffers: [...program.buffers, { ...sums, kind: "output" }] };
  const compiled = compileLoop(loop, { ...context, program: extended });
  const moved = (argument: Argument): Argument => {
    if (argument.kind === "buffer" && argument.buffer === virtual)
      return { kind: "scratch", offset: argument.offset ?? 0 };
    return argument.kind === "scratch" ? { kind: "scratch", offset: argument.offset + after } : argument;
  };
  const launches = compiled.launches.map((launch): Launch => {
    if (launch.kind === "kernel") return { ...launch, arguments: launch.arguments.map(moved) };
    return launch.kind === "fill" ? { ...launch, to: moved(launch.to) } : launch;
  });
  return { ...compiled, launches };
}
