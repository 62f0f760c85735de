/**
 * The table of an executable: a block of memory that says where everything lies at this run. The module's code finds all
 * addresses through it, so that one executable runs on any buffers. Offsets in bytes.
 */
import type { Program } from "@thalweg/core/backend";
import type { CompiledKernel, Pointer } from "../launch.ts";

export const tableOffsets = { arena: 0, scratch: 4, thread: 8, buffers: 16 } as const;

/** Addresses of some buffers one after the other, and constants after them, for kernels over very many buffers. */
type TablePointer = Extract<Pointer, { readonly kind: "table" }>;

export interface TableLayout {
  /** Of each buffer's address; undefined for temporaries, which lie in the arena. */
  readonly bound: readonly (number | undefined)[];
  /** Of the uniforms, 8 bytes each. */
  readonly uniforms: number;
  /** Of each pointer of kind `table`. */
  readonly tables: ReadonlyMap<TablePointer, number>;
  readonly bytes: number;
}

export function layOut(program: Program, kernels: readonly CompiledKernel[]): TableLayout {
  let at: number = tableOffsets.buffers;
  const bound = program.buffers.map(({ kind }) => {
    if (kind === "temporary") return undefined;
    at += 4;
    return at - 4;
  });
  at = Math.ceil(at / 8) * 8;
  const uniforms = at;
  at += 8 * program.uniforms.length;
  const tables = new Map<TablePointer, number>();
  for (const { launches } of kernels) {
    for (const pointer of launches.flatMap(({ pointers }) => pointers)) {
      if (pointer.kind !== "table" || tables.has(pointer)) continue;
      tables.set(pointer, at);
      at += 4 * (pointer.buffers.length + pointer.constants.length);
    }
  }
  return { bound, uniforms, tables, bytes: at };
}
