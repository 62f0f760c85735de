/**
 * @thalweg/core: tensors as values, differentiation as a graph transformation, whole training steps as one Program.
 * Backends are separate packages; choose one with `useBackend`.
 */
import "./tensor/methods.ts";

export * from "./autodiff/index.ts";
export type { Backend, Capabilities, MemoryUse } from "./backend/backend.ts";
export { type DType, type HostArray, isFloat, promoteTypes } from "./graph/dtype.ts";
export * from "./graph/errors.ts";
export type { Shape } from "./graph/shape.ts";
export { currentBackend, useBackend } from "./runtime/backend.ts";
export { guard, onRun, uniformScalar } from "./runtime/context.ts";
export * from "./tensor/index.ts";
export { type CompiledFunction, compile } from "./trace/compile.ts";
export { explain } from "./trace/explain.ts";
