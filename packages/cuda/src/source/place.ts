/** Where the text of a body stands. */
import type { DType, Instruction, Value } from "@thalweg/core/backend";

/** A slot of a body as the text sees it. */
export interface SlotSource {
  /** Of the storage type, `const` where the kernel only reads it. */
  readonly pointer: string;
  readonly dtype: DType;
  /** Never written while the kernel runs: loads may use the read-only path, and may be moved. */
  readonly readOnly: boolean;
}

export interface BodyPlace {
  /** C expressions, cheap to repeat (names or numbers), of all loop variables of the kernel at the place's first element. */
  readonly variables: readonly string[];
  /**
   * `width` neighbours along this variable (1, 2, 4 or 8) are computed by one thread: its lanes. The variable's value is a
   * multiple of `width`. Accesses that are contiguous along it become vector accesses where offset and all other strides
   * are multiples of the width, too.
   */
  readonly vector?: { readonly variable: number; readonly width: number };
  readonly slots: readonly SlotSource[];
  /** Values computed before, by name per lane (one name: the same in all lanes); `writeBody` adds its own. */
  readonly known: Map<Value, readonly string[]>;
  /** The sum of a contraction per lane. */
  readonly accumulator?: (lane: number) => string;
  /** What becomes of a `reduce`: text to add. `lanes`: always `width` names. Its value becomes known later, by the caller. */
  readonly reduce?: (instruction: Instruction & { readonly op: "reduce" }, lanes: readonly string[]) => string;
  /** Type of index arithmetic: every offset of the kernel must fit. */
  readonly index: "int" | "long long";
  /**
   * A name: lanes from this number on do not exist: their loads give 0, stores are left out, checks are skipped. Undefined:
   * all exist.
   */
  readonly count?: string;
}
