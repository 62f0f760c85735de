/**
 * The small block of device memory a compiled Program owns: its status and uniforms, which every run uploads, then the
 * tables of its kernels and their counters.
 */
import type { Program } from "@thalweg/core/backend";
import { argumentsOf } from "../kernel/argumentsOf.ts";
import type { Argument, CompiledKernel } from "../kernel/launch.ts";
import { statusBytes } from "./status.ts";

type Table = Extract<Argument, { kind: "table" }>;

export interface PlacedTable {
  readonly table: Table;
  /** Byte in the block. */
  readonly offset: number;
}

export interface StateLayout {
  /** Status, then 8 bytes for each uniform. */
  readonly uploadBytes: number;
  readonly tables: readonly PlacedTable[];
  /** Byte of the counters of each kernel. */
  readonly counters: readonly number[];
  readonly countersBegin: number;
  readonly bytes: number;
}

/** Where the uniforms begin. */
export const uniformsOffset = statusBytes;

const alignment = 256;
const align = (bytes: number): number => Math.ceil(bytes / alignment) * alignment;

export function layOutState(program: Program, kernels: readonly CompiledKernel[]): StateLayout {
  const uploadBytes = uniformsOffset + 8 * program.uniforms.length;
  let at = align(uploadBytes);
  const tables: PlacedTable[] = [];
  for (const { launches } of kernels) {
    for (const launch of launches) {
      for (const argument of argumentsOf(launch)) {
        if (argument.kind !== "table" || tables.some(({ table }) => table === argument)) continue;
        tables.push({ table: argument, offset: at });
        at += align(8 * (argument.buffers.length + argument.constants.length));
      }
    }
  }
  const countersBegin = at;
  const counters = kernels.map(({ counterBytes }) => {
    const begin = at;
    at += align(counterBytes);
    return begin;
  });
  return { uploadBytes, tables, counters, countersBegin, bytes: at };
}

/** One uniform as the kernels read it. */
export function writeUniform(
  view: DataView,
  at: number,
  dtype: Program["uniforms"][number]["dtype"],
  value: number,
): void {
  switch (dtype) {
    case "float32":
      view.setFloat32(at, value, true);
      break;
    case "float64":
      view.setFloat64(at, value, true);
      break;
    case "uint32":
      view.setUint32(at, value, true);
      break;
    case "int32":
      view.setInt32(at, value, true);
      break;
    case "bool":
      view.setInt32(at, value !== 0 ? 1 : 0, true);
      break;
    default:
      dtype satisfies never;
  }
}
