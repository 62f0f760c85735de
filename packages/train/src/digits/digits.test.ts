import { describe, expect, it } from "vitest";
import { generateDigits } from "./digits.ts";

/** FNV-1a over the pixels' 256 levels. */
function hash(images: Float32Array): number {
  let h = 0x811c9dc5;
  for (const pixel of images) h = Math.imul(h ^ Math.round(pixel * 255), 0x01000193);
  return h >>> 0;
}

describe("generateDigits", () => {
  it("draws the same for the same seed, and something else for another", () => {
    const [a, b, c] = [0, 0, 1].map((seed) => generateDigits({ count: 50, seed }));
    expect(a).toEqual(b);
    expect(hash(a?.images as Float32Array)).not.toBe(hash(c?.images as Float32Array));
  });

  it("draws what it has always drawn", () => {
    const { images, labels } = generateDigits({ count: 20, seed: 7 });
    expect({ labels: labels.join(""), pixels: hash(images) }).toMatchInlineSnapshot(`
      {
        "labels": "74822714958513900663",
        "pixels": 3179109295,
      }
    `);
  });

  it("has every digit equally often, in random order", () => {
    const { labels } = generateDigits({ count: 1003 });
    const counts = new Array<number>(10).fill(0);
    for (const label of labels) counts[label] = (counts[label] as number) + 1;
    expect(counts).toEqual([101, 101, 101, 100, 100, 100, 100, 100, 100, 100]);
    expect(new Set(labels.subarray(0, 30)).size).toBeGreaterThan(5);
    expect([...labels]).not.toEqual([...labels].sort((a, b) => a - b));
  });

  it("gives pixels from 0 to 1 with ink in the middle and none along the rim", () => {
    const { images } = generateDigits({ count: 500, seed: 3 });
    let [rim, middle, outside] = [0, 0, 0];
    for (let i = 0; i < images.length; i++) {
      const pixel = images[i] as number;
      if (!(pixel >= 0 && pixel <= 1)) outside++;
      const [y, x] = [Math.floor((i % 784) / 28), i % 28];
      if (y === 0 || y === 27 || x === 0 || x === 27) rim += pixel / 108;
      else if (y > 3 && y < 24 && x > 7 && x < 20) middle += pixel / 240;
    }
    expect(outside).toBe(0);
    expect(rim / 500).toBeLessThan(0.04);
    expect(middle / 500).toBeGreaterThan(0.15);
  });

  it.each([0, -1, 1.5, Number.NaN])("refuses count %s", (count) => {
    expect(() => generateDigits({ count })).toThrow(
      `generateDigits: expected count as a positive whole number, got ${count}`,
    );
  });

  it("refuses seeds that are no whole number", () => {
    expect(() => generateDigits({ count: 1, seed: 0.5 })).toThrow("expected seed as a whole number");
  });
});
