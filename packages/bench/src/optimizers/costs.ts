/** What an update costs, counted: state in bytes, kernels, and bytes moved. Nothing is timed. */
import type { Parameter, Shape } from "@thalweg/core";
import { bytesPerElement, programStatistics } from "@thalweg/core/backend";
import { layers, updatedGroup } from "./group.ts";
import type { NamedUpdate } from "./updates.ts";

export interface UpdateCosts {
  /** Bytes of state per parameter, of a vector and of a matrix of 1,000,000 float32 numbers, and of a matrix of 10,000. */
  readonly vectorStateBytes: number;
  readonly matrixStateBytes: number;
  readonly smallMatrixStateBytes: number;
  /** Kernels of one update of `layers`. */
  readonly kernels: number;
  /** Bytes that they read and write, per parameter. */
  readonly movedBytes: number;
  /** The same if each gradient, parameter and state is read once, and parameters and state are written once. */
  readonly leastBytes: number;
}

const sizeOf = (shape: Shape): number => shape.reduce((product, n) => product * n, 1);

/** Bytes per element of the state of one parameter of this shape, made for its first update, which is compiled and not run. */
function stateBytes(update: NamedUpdate, shape: Shape): number {
  const { optimizer, gradients, step } = updatedGroup(update, [shape]);
  step.program(...gradients);
  const state = [...optimizer.state.values()].flatMap((of) => Object.values<Parameter>(of));
  const bytes = state.reduce((total, { size, dtype }) => total + size * bytesPerElement(dtype), 0);
  optimizer.dispose();
  return bytes / sizeOf(shape);
}

/** @throws ThalwegError for what cannot update with gradients that are given (`sam`). */
export function updateCosts(update: NamedUpdate): UpdateCosts {
  const { optimizer, gradients, step } = updatedGroup(update, layers);
  const { kernels, bytesRead, bytesWritten, leastBytes } = programStatistics(step.program(...gradients));
  optimizer.dispose();
  const elements = layers.reduce((total, shape) => total + sizeOf(shape), 0);
  return {
    vectorStateBytes: stateBytes(update, [1_000_000]),
    matrixStateBytes: stateBytes(update, [1000, 1000]),
    smallMatrixStateBytes: stateBytes(update, [100, 100]),
    kernels,
    movedBytes: (bytesRead + bytesWritten) / elements,
    leastBytes: leastBytes / elements,
  };
}
