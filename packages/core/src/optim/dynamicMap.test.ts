import { beforeAll, describe, expect, it } from "vitest";
import { referenceBackend } from "../backend/index.ts";
import { broadcastTo, cast, Parameter, randn, square, type Tensor, tensor, useBackend } from "../index.ts";
import { blockSize, dequantize, fromCodes, type MapKind, quantize, toCodes } from "./dynamicMap.ts";

beforeAll(() => useBackend(referenceBackend()));

/** create_dynamic_map of bitsandbytes, the paper's code: middles of the bins of linspace(0.1, 1), by decade. */
function published(kind: MapKind): number[] {
  const numbers = [0, 1];
  for (let i = 0; i < 7; i++) {
    const bins = kind === "signed" ? 2 ** i : 2 ** (i + 1);
    for (let j = 0; j < bins; j++) {
      const middle = (0.1 + (0.9 * (j + 0.5)) / bins) * 10 ** (i - 6);
      numbers.push(middle);
      if (kind === "signed") numbers.push(-middle);
    }
  }
  return numbers.sort((a, b) => a - b);
}

const values = (x: Tensor): number[] => Array.from(x.dataSync());
const codes = Uint32Array.from({ length: 256 }, (_, i) => i);
const kinds: readonly MapKind[] = ["signed", "nonNegative"];

describe.each(kinds)("the %s map", (kind) => {
  it("holds the numbers of the published one", () => {
    const expected = published(kind);
    expect(expected.length).toBe(256);
    const got = values(fromCodes(tensor(codes), kind)).sort((a, b) => a - b);
    for (const [i, x] of got.entries()) expect(Math.abs(x - (expected[i] as number))).toBeLessThan(2e-7);
  });

  it("gives each of its numbers its own code", () => {
    expect(values(toCodes(fromCodes(tensor(codes), kind), kind))).toEqual([...codes]);
  });

  it("takes the nearest of its numbers", () => {
    const map = published(kind);
    const parts = Float32Array.from({ length: 4001 }, (_, i) =>
      i < 2000 ? 10 ** ((-8 * i) / 2000) * (kind === "signed" && i % 3 === 0 ? -1 : 1) : (i - 2000) / 2001,
    );
    const got = values(fromCodes(toCodes(tensor(parts), kind), kind));
    for (const [i, x] of parts.entries()) {
      const nearest = Math.min(...map.map((m) => Math.abs(m - x)));
      const error = Math.abs((got[i] as number) - x);
      // What is not negative never becomes 0 unless it is.
      if (kind === "nonNegative" && x > 0 && x < 1.7e-7) expect(got[i]).toBeCloseTo(3.25e-7, 12);
      else expect(error).toBeLessThanOrEqual(nearest + 2e-7);
    }
  });
});

describe("random rounding", () => {
  const thresholds = tensor(Float32Array.from({ length: 4096 }, (_, i) => (i + 0.5) / 4096));

  it.each([0.3, -0.87, 0.0567, -0.0042, 0.00031, 4.2e-5])("of %s is right in the mean", (x) => {
    for (const kind of x < 0 ? (["signed"] as const) : kinds) {
      const codes = toCodes(broadcastTo(tensor([x]), [4096]), kind, thresholds);
      const rounded = values(fromCodes(codes, kind));
      expect(new Set(rounded).size).toBe(2);
      const mean = rounded.reduce((sum, value) => sum + value, 0) / rounded.length;
      expect(Math.abs(mean / x - 1)).toBeLessThan(2e-4);
    }
  });
});

describe("blocks", () => {
  const [rows, columns] = [7, 301];

  it.each(kinds)("of %s codes give back each number within half a bin of its decade", (kind) => {
    const drawn = randn([rows, columns]);
    const x = new Parameter(kind === "signed" ? drawn : square(drawn));
    const { codes, absmax } = quantize(x, kind);
    expect([codes.shape, absmax.shape]).toEqual([[9, 64], [9]]);
    const before = values(x);
    const after = values(dequantize({ codes, absmax }, kind, x.shape, "float32"));
    const largest = values(absmax);
    let squares = 0;
    for (const [i, number] of before.entries()) {
      const scale = largest[Math.floor(i / blockSize)] as number;
      const part = Math.abs(number) / scale;
      const decade = Math.max(0, Math.min(6, 6 + Math.ceil(Math.log10(part))));
      const bins = (kind === "signed" ? 1 : 2) * 2 ** decade;
      // Half a bin, or where the middle of the next decade's first bin is further off, its.
      const bound = (0.46 * 10 ** (decade - 6) * 2) / bins;
      expect(Math.abs((after[i] as number) - number) / scale).toBeLessThan(bound);
      squares += ((after[i] as number) - number) ** 2;
    }
    const relative = Math.sqrt(squares / before.reduce((sum, number) => sum + number ** 2, 0));
    expect(relative).toBeLessThan(kind === "signed" ? 0.012 : 0.008);
  });

  it("of zeros stay zeros, beside others too", () => {
    const x = new Float32Array(600);
    x[3] = -2;
    const restored = values(dequantize(quantize(tensor(x), "signed"), "signed", [600], "float32"));
    // -1 is no number of the map.
    expect(restored[3]).toBeCloseTo(-2 * (1 - 0.45 / 64), 6);
    restored[3] = 0;
    expect(restored.every((value) => value === 0)).toBe(true);
  });

  it("of float64 keep scales that float32 has not", () => {
    const x = cast(tensor([1, 0.5]), "float64").mul(1e60);
    const restored = values(dequantize(quantize(x, "nonNegative"), "nonNegative", [2], "float64"));
    expect(restored[0]).toBe(1e60);
    expect(Math.abs((restored[1] as number) / 0.5e60 - 1)).toBeLessThan(0.01);
  });

  it("hold four codes to a word, lowest first", () => {
    const { codes } = quantize(tensor([1, -1, 0, 0.107]), "signed");
    expect((values(codes)[0] as number).toString(16)).toBe("4000ff80");
  });
});
