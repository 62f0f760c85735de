import type { DType } from "@thalweg/core/backend";
import fc from "fast-check";
import { expect, test } from "vitest";
import { testTarget } from "../testKernel.ts";
import { at, buffer, differenceOf, load, loopProgram, operation, store } from "../testLoops.ts";

/** So small a device that a few hundred elements fill it, and threads get vectors, several of them, and tiles. */
const small = { ...testTarget, multiprocessors: 1 };

test("random views", () => {
  // Long enough, now and then, for tiles.
  const axis = fc.oneof(
    fc.integer({ min: 1, max: 13 }),
    fc.integer({ min: 1, max: 13 }),
    fc.integer({ min: 16, max: 40 }),
  );
  const kernel = fc
    .record({
      sizes: fc.array(axis, { minLength: 1, maxLength: 3 }),
      seed: fc.integer({ min: 0, max: 1 << 20 }),
      to: fc.constantFrom<DType>("float32", "bfloat16", "float32"),
    })
    .map(({ sizes, seed, to }) => {
      let state = seed;
      const random = (below: number): number => {
        state = (Math.imul(state, 1103515245) + 12345) >>> 0;
        return Math.floor((state / 2 ** 32) * below);
      };
      /** Strides of a permuted contiguous buffer, some axes broadcast or backwards. */
      const strides = (whole: boolean): { strides: number[]; offset: number; size: number } => {
        const order = sizes.map((_v, i) => i).sort(() => random(3) - 1);
        const result = new Array<number>(sizes.length).fill(0);
        let [stride, offset] = [1, 0];
        for (const i of order) {
          if (!whole && random(4) === 0) continue;
          const back = !whole && random(5) === 0;
          result[i] = back ? -stride : stride;
          if (back) offset += stride * ((sizes[i] as number) - 1);
          stride *= sizes[i] as number;
        }
        return { strides: result, offset, size: stride };
      };
      const [a, b, c] = [strides(false), strides(false), strides(true)];
      const condition = { affine: at(sizes.map(() => random(3) - 1)), lo: random(4) - 2, hi: random(12) };
      return loopProgram({
        buffers: [buffer(a.size), buffer(b.size), buffer(c.size, "output", to)],
        outer: sizes,
        stages: [
          [
            "outer",
            [
              load(0, at(a.strides, a.offset)),
              load(1, at(b.strides, b.offset), random(2) ? { conditions: [condition] } : {}),
              operation("mul", 0, 1),
              operation("add", 2, 0),
              store(2, at(c.strides), 3),
            ],
          ],
        ],
      });
    });
  fc.assert(
    fc.property(fc.array(kernel, { minLength: 16, maxLength: 16 }), (programs) => {
      expect(differenceOf(programs, { target: small })).toBeUndefined();
    }),
    { numRuns: 1 },
  );
});
