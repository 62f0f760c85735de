/**
 * `@thalweg/core/backend`: all that a backend knows of Thalweg. The Program and its validator, printer and reference
 * interpreter; the Backend interface; dtypes, shapes and errors; the meaning of every scalar operation.
 */
export {
  allocateHost,
  bytesPerElement,
  type ComputeDType,
  checkDType,
  computeDType,
  type DType,
  decode,
  dtypes,
  encode,
  fromBFloat16Bits,
  fromFloat16Bits,
  type HostArray,
  isFloat,
  isInteger,
  roundTo,
  toBFloat16Bits,
  toFloat16Bits,
} from "../graph/dtype.ts";
export {
  ArgumentError,
  BackendError,
  DTypeError,
  IndexError,
  ProgramError,
  ShapeError,
  ThalwegError,
} from "../graph/errors.ts";
export { type Bindings, type Evaluated, evaluateNode, evaluateNodes } from "../graph/evaluate.ts";
export {
  type BinaryOp,
  binaryOps,
  type ConvGeometry,
  comparisonOps,
  type ReduceOp,
  reduceOps,
  type UnaryOp,
  unaryOps,
} from "../graph/node.ts";
export * from "../graph/scalar.ts";
export { contiguousStrides, formatShape, type Shape, sizeOf } from "../graph/shape.ts";
export { type Access, accessesOf, convolutionShapes, epilogueSizes } from "./accesses.ts";
export type { Backend, BufferHandle, Capabilities, Executable, ExpectedFailure, MemoryUse } from "./backend.ts";
export { accessInterval, type Interval, isInjective } from "./bounds.ts";
export { checkHostArray } from "./checkHostArray.ts";
export { contractionAsLoop } from "./contractionAsLoop.ts";
export { isExpensive, liveValues, operandsOf } from "./dataflow.ts";
export { engineName } from "./engineName.ts";
export { type ReferenceOptions, referenceBackend } from "./interpreter.ts";
export { groupSegments, mayOverlap } from "./overlap.ts";
export { overwrittenBuffers } from "./overwritten.ts";
export {
  formatBytes,
  type KernelStatistics,
  kernelStatistics,
  type PrintOptions,
  type ProgramStatistics,
  printProgram,
  programStatistics,
} from "./print.ts";
export type {
  Affine,
  BufferSpec,
  Condition,
  ContractionKernel,
  ConvolutionKernel,
  Epilogue,
  IndexedKernel,
  Instruction,
  Kernel,
  KernelKind,
  LoopKernel,
  MatmulKernel,
  Operand,
  Program,
  Segment,
  Stage,
  UniformSpec,
  Value,
} from "./program.ts";
export { kernelKinds } from "./program.ts";
export { findShared, type SharedValues } from "./sharedValues.ts";
export { withSimpleConditions } from "./simpleConditions.ts";
export { mapAffines, simplifyLoop } from "./simplifyLoop.ts";
export { validateProgram } from "./validate.ts";
