/**
 * Errors that a Program itself can raise, without anybody waiting for a value of its: looking something up at an index that
 * is out of range stops a run on every backend. An index far below any that could be meant stands for an error of its own.
 */
import { IndexError, type ThalwegError } from "../graph/errors.ts";

/** Such indices are the smallest of int32. */
const lowest = -(2 ** 31);

const known: (() => ThalwegError)[] = [];
const bases = new Map<string, number>();

/**
 * Indices that stand for errors: that of `errors[i]` is the result plus i.
 *
 * @param key The same for the same errors, so that asking again costs nothing.
 */
export function failingIndices(key: string, errors: readonly (() => ThalwegError)[]): number {
  const base = bases.get(key) ?? lowest + known.length;
  if (!bases.has(key)) {
    bases.set(key, base);
    known.push(...errors);
  }
  return base;
}

/** What an error of a run means: that which its index stands for, or itself. */
export function meantBy(error: unknown): unknown {
  if (!(error instanceof IndexError)) return error;
  const index = /index (-\d+) is out of range/.exec(error.message)?.[1];
  return (index !== undefined && known[Number(index) - lowest]?.()) || error;
}
