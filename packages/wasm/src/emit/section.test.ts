import { expect, test } from "vitest";
import { testFeatures, testFunction } from "../testFunction.ts";
import { type FunctionBuilder, i32, type Local, type Section } from "./index.ts";

const { features } = testFeatures[0] as (typeof testFeatures)[number];

/** What the function leaves in the first words of memory. */
function run(words: number, build: (f: FunctionBuilder) => void): number[] {
  const { memory, call } = testFunction(features, 0, build);
  call();
  return Array.from(new Int32Array(memory, 0, words));
}

test("what is written into a section comes before what was written after it, in order", () => {
  const result = run(1, (f) => {
    const value = f.let(i32.const(1));
    const section = f.section();
    f.set(value, i32.mul(value, 10));
    f.within(section, () => f.set(value, i32.add(value, 1)));
    f.within(section, () => f.set(value, i32.mul(value, 3)));
    f.do(i32.store(0, value));
  });
  expect(result).toEqual([60]);
});

test("outside of a loop that is being written, with sections inside of sections", () => {
  const result = run(2, (f) => {
    const [turns, sum, i] = [f.local("i32"), f.local("i32"), f.local("i32")];
    const outside = f.section();
    let inner: Section | undefined;
    f.within(outside, () => {
      inner = f.section();
      f.set(turns, i32.add(turns, 1));
    });
    f.for(i, 0, 5, 1, () => {
      f.within(inner as Section, () => f.set(turns, i32.const(41)));
      f.set(sum, i32.add(sum, turns));
    });
    f.do(i32.store(0, turns));
    f.do(i32.store(4, sum));
  });
  expect(result).toEqual([42, 210]);
});

test("blocks are left by the right number of levels from within a section", () => {
  const result = run(1, (f) => {
    const value = f.let(i32.const(1)) as Local<"i32">;
    f.block((exit) => {
      const section = f.section();
      f.if(1, () => {
        f.block(() => {
          f.within(section, () => f.brIf(exit, i32.eq(value, 1)));
          f.set(value, i32.const(3));
        });
      });
    });
    f.do(i32.store(0, value));
  });
  expect(result).toEqual([1]);
});
