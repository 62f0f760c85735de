/** What an update costs, counted: state in bytes, kernels, and bytes moved. Nothing is timed. */
import type { Parameter, Shape } from "@thalweg/core";
import { bytesPerElement, programStatistics } from "@thalweg/core/backend";
import { layers, updatedGroup } from "./group.ts";
import type { NamedUpdate } from "./updates.ts";

export interface UpdateCosts {
  /** Names of the tensors kept for a matrix. */
  readonly state: readonly string[];
  /** Bytes of state per parameter, of a vector and of a matrix of 1,000,000 float32 numbers. */
  readonly vectorStateBytes: number;
  readonly matrixStateBytes: number;
  /** Kernels of one update of `layers`. */
  readonly kernels: number;
  /** Bytes that they read and write, per parameter. */
  readonly movedBytes: number;
  /** The same if each gradient, parameter and state is read once, and parameters and state are written once. */
  readonly leastBytes: number;
}

const vector: Shape = [1_000_000];
const matrix: Shape = [1000, 1000];

const sizeOf = (tensors: readonly { readonly size: number }[]): number =>
  tensors.reduce((total, { size }) => total + size, 0);

/** The state of one parameter of this shape, made for its first update; the update is compiled, not run. */
function stateOf(update: NamedUpdate, shape: Shape): { names: readonly string[]; bytes: number } {
  const { optimizer, gradients, step } = updatedGroup(update, [shape]);
  step.program(...gradients);
  const state = [...optimizer.state.values()].flatMap((of) => Object.entries<Parameter>(of));
  const bytes = state.reduce((total, [, { size, dtype }]) => total + size * bytesPerElement(dtype), 0);
  optimizer.dispose();
  return { names: state.map(([name]) => name), bytes: bytes / sizeOf([{ size: shape.reduce((a, b) => a * b, 1) }]) };
}

/** @throws ThalwegError for what cannot update with gradients that are given (`sam`). */
export function updateCosts(update: NamedUpdate): UpdateCosts {
  const { optimizer, parameters, gradients, step } = updatedGroup(update, layers);
  const { kernels, bytesRead, bytesWritten, leastBytes } = programStatistics(step.program(...gradients));
  optimizer.dispose();
  const elements = sizeOf(parameters);
  const ofMatrix = stateOf(update, matrix);
  return {
    state: ofMatrix.names,
    vectorStateBytes: stateOf(update, vector).bytes,
    matrixStateBytes: ofMatrix.bytes,
    kernels,
    movedBytes: (bytesRead + bytesWritten) / elements,
    leastBytes: leastBytes / elements,
  };
}
