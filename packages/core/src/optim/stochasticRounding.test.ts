import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { fromBFloat16Bits, toBFloat16Bits } from "../graph/dtype.ts";
import { broadcastTo, cast, type Tensor, tensor, useBackend } from "../index.ts";
import { roundingBits, roundStochastically } from "./stochasticRounding.ts";

beforeAll(() => useBackend(referenceBackend()));

const values = (x: Tensor): number[] => Array.from(x.dataSync());

/** Scalars as an optimizer gives them at update `step`. */
const atStep = (step: number) => ({
  scalar: (_: string, value: (context: never) => number) => tensor(value({ step } as never)),
});

/** The bfloat16 numbers on either side of x, towards zero first. */
function around(x: number): [number, number] {
  const truncated = new Float32Array([x]);
  const bits = (new Uint32Array(truncated.buffer)[0] as number) >>> 16;
  return [fromBFloat16Bits(bits), fromBFloat16Bits(bits + 1)];
}

// Also: just above and below powers of two, where places change width, and the largest numbers.
const numbers = [1 / 3, -1 / 3, 1.00001, 0.99999, -0.998, 2 - 1e-6, 4.01, 1e-30, -3.3e37, 7e-12, 65535, 255.51].map(
  Math.fround,
);

describe("stochastic rounding", () => {
  it.each(numbers)("of %s takes each neighbour as often as makes the mean exact", (x) => {
    const all = tensor(Uint32Array.from({ length: 2 ** 16 }, (_, i) => i));
    const rounded = values(roundStochastically(broadcastTo(tensor([x]), [2 ** 16]), all));
    const neighbours = around(x);
    expect(rounded.every((value) => neighbours.includes(value))).toBe(true);
    // Over all 2^16 possible draws the mean is the number to the last bit of float32.
    const mean = rounded.reduce((sum, value) => sum + (value - x), 0) / rounded.length;
    expect(Math.abs(mean)).toBeLessThanOrEqual(1e-9 * Math.abs(x));
  });

  it("leaves bfloat16 numbers, zero and what is not finite", () => {
    const kept = [0, 1, -1.5, 2 ** -100, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN];
    for (const bits of [0, 2 ** 15, 2 ** 16 - 1]) {
      const given = tensor(Uint32Array.from(kept, () => bits));
      expect(values(roundStochastically(tensor(kept), given))).toEqual(kept);
    }
  });

  it("rounds subnormal numbers to the nearest", () => {
    const x = Math.fround(3.3e-40);
    const rounded = values(roundStochastically(tensor([x]), tensor(Uint32Array.of(0))));
    expect(rounded).toEqual([fromBFloat16Bits(toBFloat16Bits(x))]);
  });

  it("of float64 numbers stays between the neighbours", () => {
    const x = cast(tensor([1 / 3, -5e-3]), "float64");
    for (const bits of [0, 40000, 2 ** 16 - 1]) {
      const rounded = roundStochastically(x, tensor(Uint32Array.of(bits, bits)));
      expect(rounded.dtype).toBe("float64");
      for (const [i, value] of values(rounded).entries()) expect(around([1 / 3, -5e-3][i] as number)).toContain(value);
    }
  });
});

describe("rounding bits", () => {
  const size = 20_000;
  const like = broadcastTo(tensor([0]), [size]);
  const draw = (step: number, purpose = 0): [number[], number[], number[]] => {
    const bits = roundingBits(atStep(step), purpose);
    return [values(bits(like)), values(bits(like)), values(bits(like))];
  };

  it("are uniform, and of their own at each step, for each state and each purpose", () => {
    const drawn = [...draw(1), ...draw(2), ...draw(1 + 2 ** 16), ...draw(1, 1)];
    for (const bits of drawn) {
      expect(bits.every((b) => Number.isInteger(b) && b >= 0 && b < 2 ** 16)).toBe(true);
      // Four standard deviations of the mean of uniform numbers.
      const mean = bits.reduce((sum, b) => sum + b, 0) / size / 2 ** 16;
      expect(Math.abs(mean - 0.5)).toBeLessThan(4 * Math.sqrt(1 / 12 / size));
    }
    for (const [i, a] of drawn.entries()) {
      for (const b of drawn.slice(i + 1)) {
        const product = a.reduce((sum, x, k) => sum + (x / 2 ** 16 - 0.5) * ((b[k] as number) / 2 ** 16 - 0.5), 0);
        expect(Math.abs((product / size) * 12)).toBeLessThan(5 / Math.sqrt(size));
      }
    }
  });

  it("are the same at the same step", () => {
    expect(draw(7)).toEqual(draw(7));
  });
});
