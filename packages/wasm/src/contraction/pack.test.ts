import { describe, expect, it } from "vitest";
import type { Local } from "../emit/index.ts";
import { testFeatures, testFunction } from "../testFunction.ts";
import { packPanel } from "./pack.ts";

const features = testFeatures[0]?.features;
if (!features) throw new Error("no features");
const [from, to] = [4096, 16384];
const untouched = -7;

/** The panel of `lines` lines of numbers 1, 2, 3 … along memory, and what it should be. */
function pack(
  lines: number,
  width: number,
  lineStride: number,
  kStride: number,
  k: number,
  dynamic: boolean,
): { readonly got: number[]; readonly expected: number[] } {
  const { memory, call } = testFunction(features as NonNullable<typeof features>, 3, (f, code) => {
    packPanel(
      code.lanes(f),
      { lines, width, lineStride: 4 * lineStride, kStride: 4 * kStride },
      f.parameter(0, "i32"),
      f.parameter(1, "i32"),
      dynamic ? (f.parameter(2, "i32") as Local<"i32">) : k,
    );
  });
  const floats = new Float32Array(memory);
  for (let i = 0; i < to / 4; i++) floats[i] = i;
  floats.fill(untouched, to / 4);
  call(from, to, k);
  const expected: number[] = [];
  for (let c = 0; c < k; c++) {
    for (let line = 0; line < width; line++) {
      expected.push(line < lines ? from / 4 + line * lineStride + c * kStride : 0);
    }
  }
  expected.push(untouched, untouched);
  const start = to / 4;
  return { got: [...floats.subarray(start, start + expected.length)], expected };
}

describe.skipIf(!features.simd)("packPanel", () => {
  for (const [name, lineStride, kStride] of [
    ["lines side by side", 1, 21],
    ["lines side by side, k backwards", 1, -21],
    ["k side by side", 40, 1],
    ["k side by side, lines backwards", -40, 1],
    ["neither", 3, 17],
    ["both backwards", -17, -3],
  ] as const) {
    it.each([
      [8, 8],
      [5, 8],
      [4, 4],
      [3, 4],
      [2, 4],
      [1, 4],
      [6, 6],
      [5, 5],
      [3, 3],
      [2, 2],
      [1, 1],
      [10, 12],
    ])(`${name}: %i lines, a panel of %i`, (lines, width) => {
      for (const k of [1, 2, 3, 4, 7, 8, 13]) {
        for (const dynamic of [false, true]) {
          const { got, expected } = pack(lines, width, lineStride, kStride, k, dynamic);
          expect(got).toEqual(expected);
        }
      }
    });
  }
});
