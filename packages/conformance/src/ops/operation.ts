/** A row of the table of operations. */
import { Tensor } from "@thalweg/core";
import type { DType } from "@thalweg/core/backend";
import type { Input } from "./inputs.ts";

/** What an operation gives. */
export type Outputs = Tensor | readonly Tensor[];

/** An operation on particular inputs. */
export interface Variant {
  /** Unique in its operation. */
  readonly name: string;
  readonly inputs: readonly Input[];
  readonly call: (...inputs: Tensor[]) => Outputs;
  /** Dtypes it needs beside those of its inputs and of the floats. */
  readonly needs?: readonly DType[];
  /** The row of the table of tolerances, where it is another operation that rounds. Default: the operation's own. */
  readonly rounds?: string;
}

/** A variant in which it is the operation `op` that rounds. */
export const rounding = (op: string, made: Variant): Variant => ({ ...made, rounds: op });

export interface Operation {
  /** Its name in @thalweg/core and in the table of tolerances. */
  readonly op: string;
  readonly variants: readonly Variant[];
  /** Whether the sign of a zero is defined. Default true. */
  readonly signedZeros?: boolean;
}

/** The outputs as a list. */
export const listOf = (outputs: Outputs): readonly Tensor[] => (outputs instanceof Tensor ? [outputs] : outputs);

/** A variant that calls `call` with its inputs. */
export const variant = (name: string, call: Variant["call"], ...inputs: readonly Input[]): Variant => ({
  name,
  inputs,
  call,
});

/** One variant of several calls, each with the next `count` inputs: they become one Program. */
export const together = (name: string, count: number, call: Variant["call"], ...inputs: readonly Input[]): Variant => ({
  name,
  inputs,
  call: (...tensors) =>
    tensors.flatMap((_, i) => (i % count === 0 ? listOf(call(...tensors.slice(i, i + count))) : [])),
});
