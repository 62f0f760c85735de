/** Rules of each kind of kernel, but for where its accesses land (see validate.ts). */
import { computeDType, type DType, isInteger } from "../graph/dtype.ts";
import { formatShape, type Shape, sizeOf } from "../graph/shape.ts";
import { convolutionShapes, epilogueSizes, valueName } from "./accesses.ts";
import type {
  Affine,
  BufferSpec,
  ContractionKernel,
  ConvolutionKernel,
  IndexedKernel,
  Kernel,
  LoopKernel,
  MatmulKernel,
  Operand,
  Program,
} from "./program.ts";
import { BodyChecker, type Fail } from "./validateBody.ts";

/** Calls `fail` unless `kernel` names what is there, in dtypes and sizes that fit. */
export function checkKernel(program: Program, kernel: Kernel, fail: Fail): void {
  switch (kernel.kind) {
    case "loop":
      checkLoop(program, kernel, fail);
      break;
    case "matmul":
      checkMatmul(program, kernel, fail);
      break;
    case "conv2d":
    case "conv2dInputGradient":
    case "conv2dWeightGradient":
      checkConvolution(program, kernel, fail);
      break;
    case "scatterAdd":
    case "cumSum":
    case "argSort":
      checkIndexed(program, kernel, fail);
      break;
    default:
      fail(`unknown kind ${String((kernel satisfies never as Kernel).kind)}`);
  }
}

function checkSizes(what: string, sizes: Shape, fail: Fail): void {
  if (sizes.some((size) => !Number.isSafeInteger(size) || size < 0)) {
    fail(`${what} ${formatShape(sizes)}: sizes must be whole and non-negative`);
  }
}

function bufferAt(program: Program, what: string, buffer: number, fail: Fail): BufferSpec {
  return (
    program.buffers[buffer] ?? fail(`${what}: buffer ${buffer} is out of range: there are ${program.buffers.length}`)
  );
}

function expectDType(program: Program, what: string, buffer: number, dtype: DType, fail: Fail): void {
  const got = bufferAt(program, what, buffer, fail).dtype;
  if (computeDType(got) !== dtype) fail(`${what}: b${buffer} holds ${got}, expected ${dtype}`);
}

function expectSize(program: Program, what: string, buffer: number, shape: Shape, fail: Fail): void {
  const { size } = bufferAt(program, what, buffer, fail);
  if (size !== sizeOf(shape))
    fail(`${what}: b${buffer} has ${size} elements, ${formatShape(shape)} needs ${sizeOf(shape)}`);
}

function checkLoop(program: Program, kernel: LoopKernel, fail: Fail): void {
  const { outer, inner, stages, segments } = kernel;
  checkSizes("outer", outer, fail);
  checkSizes("inner", inner, fail);
  if (segments.length === 0) fail("there are no segments; a kernel over one set of buffers has one");
  segments.forEach(({ size, buffers }, index) => {
    checkSizes(`segment ${index}`, [size], fail);
    for (const [slot, buffer] of buffers.entries()) bufferAt(program, `segment ${index}, slot ${slot}`, buffer, fail);
    if (buffers.length !== segments[0]?.buffers.length) {
      fail(`segment ${index} has ${buffers.length} buffers, segment 0 has ${segments[0]?.buffers.length}`);
    }
  });
  if (segments.length > 1 && (outer.length !== 1 || inner.length !== 0)) {
    fail(
      `with several segments outer has rank 1 and inner is empty, got ${formatShape(outer)} and ${formatShape(inner)}`,
    );
  }
  const total = segments.reduce((sum, { size }) => sum + size, 0);
  if (total !== sizeOf(outer))
    fail(`segments hold ${total} elements together, outer ${formatShape(outer)} has ${sizeOf(outer)}`);

  const checker = new BodyChecker(
    program,
    segments.map(({ buffers }) => buffers),
    fail,
  );
  const variables = outer.length + inner.length;
  for (const { over, body } of stages) {
    if (over !== "outer" && over !== "inner") fail(`unknown stage ${String(over)}`);
    checker.check(body, { over, variables, inner: inner.length });
  }
  if (!stages.some(({ body }) => body.some(({ op }) => op === "store"))) fail("nothing is stored");
  if (segments.length > 1) checkSegmentAccesses(kernel, fail);
}

/** With several segments, accesses are whole buffers in order, or scalars. */
function checkSegmentAccesses({ stages }: LoopKernel, fail: Fail): void {
  const simple = ({ offset, strides, dynamic = [] }: Affine) =>
    offset === 0 && dynamic.length === 0 && (strides[0] === 0 || strides[0] === 1);
  for (const instruction of stages.flatMap(({ body }) => body)) {
    if (instruction.op !== "load" && instruction.op !== "store") continue;
    if (!simple(instruction.at) || (instruction.op === "load" && (instruction.conditions?.length ?? 0) > 0)) {
      fail(
        `${valueName(instruction.id)} (${instruction.op}): with several segments an access is contiguous or a broadcast scalar, without conditions`,
      );
    }
  }
}

function checkEpilogue(program: Program, kernel: ContractionKernel, fail: Fail): void {
  const { body, buffers } = kernel.epilogue;
  for (const [slot, buffer] of buffers.entries()) bufferAt(program, `epilogue slot ${slot}`, buffer, fail);
  new BodyChecker(program, [buffers], fail).check(body, {
    over: "epilogue",
    variables: epilogueSizes(kernel).length,
    inner: 0,
    accumulator: kernel.dtype,
  });
  if (!body.some(({ op }) => op === "accumulator")) fail("the epilogue does not use the accumulator");
  if (!body.some(({ op }) => op === "store")) fail("the epilogue stores nothing");
}

function checkOperand(program: Program, what: string, operand: Operand, rank: number, fail: Fail): void {
  bufferAt(program, what, operand.buffer, fail);
  if (operand.strides.length !== rank) fail(`${what}: ${operand.strides.length} strides for ${rank} axes`);
  if (![operand.offset, ...operand.strides].every(Number.isSafeInteger))
    fail(`${what}: offset and strides must be whole`);
}

function checkMatmul(program: Program, kernel: MatmulKernel, fail: Fail): void {
  const { batch, m, n, k, dtype } = kernel;
  checkSizes("batch, m, n, k", [...batch, m, n, k], fail);
  if (dtype === "bool") fail("a matmul does not take bool");
  for (const what of ["a", "b"] as const) {
    checkOperand(program, `operand ${what}`, kernel[what], batch.length + 2, fail);
    expectDType(program, `operand ${what}`, kernel[what].buffer, dtype, fail);
  }
  checkEpilogue(program, kernel, fail);
}

function checkConvolution(program: Program, kernel: ConvolutionKernel, fail: Fail): void {
  const { x, weight, y, geometry, dtype } = kernel;
  for (const [name, shape] of [
    ["x", x],
    ["weight", weight],
    ["y", y],
  ] as const) {
    if (shape.length !== 4) fail(`${name} ${formatShape(shape)}: expected 4 axes`);
    checkSizes(name, shape, fail);
  }
  const { stride, padding, dilation, groups } = geometry;
  const atLeast = (name: string, values: readonly number[], least: number) => {
    if (values.some((value) => !Number.isSafeInteger(value) || value < least)) {
      fail(`${name} ${formatShape(values)}: expected whole numbers from ${least}`);
    }
  };
  atLeast("stride", stride, 1);
  atLeast("padding", padding, 0);
  atLeast("dilation", dilation, 1);
  atLeast("groups", [groups], 1);
  const shapes = `x ${formatShape(x)}, weight ${formatShape(weight)}, y ${formatShape(y)}`;
  if (x[0] !== y[0]) fail(`batch sizes differ: ${shapes}`);
  if (weight[0] !== y[1]) fail(`output channels differ: ${shapes}`);
  if (x[1] !== weight[1] * groups || weight[0] % groups !== 0)
    fail(`channels do not divide into ${groups} groups: ${shapes}`);
  for (const axis of [0, 1] as const) {
    const room = (x[2 + axis] as number) + 2 * padding[axis] - dilation[axis] * ((weight[2 + axis] as number) - 1) - 1;
    const most = Math.max(0, Math.floor(room / stride[axis]) + 1);
    // Fewer is right where the input has rows no window reaches, as with output padding of a transposed convolution.
    if ((y[2 + axis] as number) > most)
      fail(`y has ${y[2 + axis]} windows on spatial axis ${axis}, at most ${most} fit: ${shapes}`);
  }
  if (dtype === "bool") fail("a convolution does not take bool");
  const operands = convolutionShapes(kernel);
  for (const what of ["a", "b"] as const) {
    expectDType(program, `operand ${what}`, kernel[what], dtype, fail);
    expectSize(program, `operand ${what}`, kernel[what], operands[what], fail);
  }
  checkEpilogue(program, kernel, fail);
}

function checkIndexed(program: Program, kernel: IndexedKernel, fail: Fail): void {
  if (kernel.kind === "scatterAdd") {
    const { axis, shape, targetShape, target, index, source } = kernel;
    checkSizes("shape", shape, fail);
    checkSizes("targetShape", targetShape, fail);
    if (shape.length !== targetShape.length)
      fail(`ranks differ: ${formatShape(shape)} and ${formatShape(targetShape)}`);
    if (!Number.isInteger(axis) || axis < 0 || axis >= shape.length)
      fail(`axis ${axis} is out of range for rank ${shape.length}`);
    shape.forEach((size, other) => {
      if (other !== axis && size > (targetShape[other] as number)) {
        fail(`shape ${formatShape(shape)} is larger than the target ${formatShape(targetShape)} on axis ${other}`);
      }
    });
    checkOperand(program, "operand index", index, shape.length, fail);
    checkOperand(program, "operand source", source, shape.length, fail);
    expectSize(program, "operand target", target, targetShape, fail);
    const indexDType = bufferAt(program, "operand index", index.buffer, fail).dtype;
    if (!isInteger(indexDType)) fail(`operand index: b${index.buffer} holds ${indexDType}, expected int32 or uint32`);
    const { dtype } = bufferAt(program, "operand target", target, fail);
    if (dtype === "bool") fail(`operand target: b${target} holds bool, which has no sum`);
    expectDType(program, "operand source", source.buffer, computeDType(dtype), fail);
    return;
  }
  const shape = [kernel.outer, kernel.size, kernel.inner];
  checkSizes("outer, size, inner", shape, fail);
  expectSize(program, "operand input", kernel.input, shape, fail);
  expectSize(program, "operand output", kernel.output, shape, fail);
  const { dtype } = bufferAt(program, "operand input", kernel.input, fail);
  if (kernel.kind === "argSort") {
    const got = bufferAt(program, "operand output", kernel.output, fail).dtype;
    if (got !== "int32") fail(`operand output: b${kernel.output} holds ${got}, expected int32`);
  } else {
    if (dtype === "bool") fail(`operand input: b${kernel.input} holds bool, which has no sum`);
    expectDType(program, "operand output", kernel.output, computeDType(dtype), fail);
  }
}
