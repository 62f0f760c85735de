/** What a run left behind, array by array, and how two runs are compared. */
import type { Tensor } from "@thalweg/core";
import type { HostArray } from "@thalweg/core/backend";

export interface Recorded {
  readonly name: string;
  readonly values: HostArray;
}
export type Recording = readonly Recorded[];

/** The values of `tensors` now, each waited for. */
export async function record(tensors: Readonly<Record<string, Tensor>>): Promise<Recording> {
  const recording: Recorded[] = [];
  for (const [name, tensor] of Object.entries(tensors)) recording.push({ name, values: await tensor.data() });
  return recording;
}

const bytesOf = (array: HostArray): Uint8Array => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/** First element whose bits differ; -1 where none do. */
function differentBits(a: HostArray, b: HostArray): number {
  const [x, y] = [bytesOf(a), bytesOf(b)];
  if (x.length !== y.length) return 0;
  const at = x.findIndex((byte, i) => byte !== y[i]);
  return at < 0 ? -1 : Math.floor(at / a.BYTES_PER_ELEMENT);
}

/** First element further from the expected than `allowed` times the largest of those; -1 where none is. */
function differentValue(actual: HostArray, expected: HostArray, allowed: number): number {
  if (actual.length !== expected.length) return 0;
  let largest = Number.MIN_VALUE;
  for (const value of expected) largest = Math.max(largest, Math.abs(value));
  return actual.findIndex((value, i) => !(Math.abs(value - (expected[i] as number)) <= allowed * largest));
}

function compare(
  actual: Recording,
  expected: Recording,
  who: readonly [string, string],
  differs: (a: HostArray, b: HostArray) => number,
  how: string,
): void {
  if (actual.length !== expected.length) {
    throw new Error(`${who[0]} gave ${actual.length} results, ${who[1]} ${expected.length}`);
  }
  for (const [i, { name, values }] of actual.entries()) {
    const other = (expected[i] as Recorded).values;
    const at = differs(values, other);
    if (at < 0) continue;
    throw new Error(`${name}[${at}]: ${values[at]} ${who[0]}, ${other[at]} ${who[1]}; expected ${how}`);
  }
}

/** @throws {Error} unless all arrays are the same to the bit. `who`: where each came from, as in `3 on the second run`. */
export function expectSameBits(actual: Recording, expected: Recording, who: readonly [string, string]): void {
  compare(actual, expected, who, differentBits, "the same bits");
}

/** @throws {Error} unless every array is near the other: errors relative to its largest entry. */
export function expectNear(
  actual: Recording,
  expected: Recording,
  who: readonly [string, string],
  allowed: number,
): void {
  compare(actual, expected, who, (a, b) => differentValue(a, b, allowed), `a difference of ${allowed} at most`);
}
