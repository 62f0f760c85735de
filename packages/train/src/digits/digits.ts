/**
 * Handwritten-looking digits, drawn and not stored: a way of writing the digit, its points moved a little, the whole
 * turned, slanted, stretched and shifted, drawn with a pen of uneven width, and noise on top. Any number of them, the same
 * for the same seed on every machine.
 */
import { ArgumentError } from "@thalweg/core";
import type { ImageDataset } from "../dataset.ts";
import { HostRandom } from "../random.ts";
import { polylineOf } from "./curve.ts";
import { type Glyph, glyphs, type Point } from "./glyphs.ts";
import { drawSegment } from "./raster.ts";

/** Rows and columns of an image, as in MNIST. */
export const digitSide = 28;

/** Standard deviations of the distortions. Lengths are in heights of a digit unless they say pixels. */
const spread = {
  point: 0.025,
  rotation: 0.1,
  slant: 0.13,
  stretch: 0.1,
  shiftPixels: 0.8,
  noise: 0.045,
};

/** Height of a digit in pixels before stretching, as in MNIST. */
const digitHeight = 19;

export interface DigitOptions {
  /** How many images; each digit as often as any other, give or take one. */
  count: number;
  /** Default 0. */
  seed?: number;
}

/** `count` generated digits in random order, 28 × 28 each. Throws ArgumentError unless count is whole and positive. */
export function generateDigits({ count, seed = 0 }: DigitOptions): ImageDataset {
  if (!Number.isInteger(count) || count < 1) {
    throw new ArgumentError("generateDigits", `expected count as a positive whole number, got ${count}`);
  }
  if (!Number.isSafeInteger(seed) || seed < 0) {
    throw new ArgumentError("generateDigits", `expected seed as a whole number from 0 to 2^53 - 1, got ${seed}`);
  }
  const random = new HostRandom(seed);
  const pixels = digitSide * digitSide;
  const images = new Float32Array(count * pixels);
  const labels = random.permutation(count).map((position) => position % glyphs.length);
  for (let i = 0; i < count; i++) {
    const ways = glyphs[labels[i] as number] as readonly Glyph[];
    drawDigit(images.subarray(i * pixels, (i + 1) * pixels), ways[random.below(ways.length)] as Glyph, random);
  }
  return { images, labels, height: digitSide, width: digitSide, classes: glyphs.length };
}

function drawDigit(image: Float32Array, glyph: Glyph, random: HostRandom): void {
  const place = randomPlacement(random);
  const radius = random.uniform(0.75, 1.55);
  const swell = random.uniform(0, 0.3);
  const phase = random.uniform(0, 2);
  for (const stroke of glyph) {
    const line = polylineOf(moved(stroke, random));
    const segments = line.length / 2 - 1;
    let [x, y] = place(line[0] as number, line[1] as number);
    for (let i = 1; i <= segments; i++) {
      const [nextX, nextY] = place(line[2 * i] as number, line[2 * i + 1] as number);
      drawSegment(image, digitSide, [x, y, nextX, nextY], radius * (1 + swell * wave(phase + (2 * i) / segments)));
      [x, y] = [nextX, nextY];
    }
  }
  finish(image, random);
}

/** Every point of a stroke moved a little; a corner's two points stay together. */
function moved(stroke: readonly Point[], random: HostRandom): Point[] {
  const points: Point[] = [];
  for (const [i, [x, y]] of stroke.entries()) {
    const before = stroke[i - 1];
    if (before !== undefined && before[0] === x && before[1] === y) points.push(points[i - 1] as Point);
    else points.push([x + random.bell(spread.point), y + random.bell(spread.point)]);
  }
  return points;
}

/** An affine map from the unit box to pixels: stretched and slanted, then turned, about the middle of the image. */
function randomPlacement(random: HostRandom): (x: number, y: number) => Point {
  const angle = random.bell(spread.rotation);
  const slant = random.bell(spread.slant);
  const width = digitHeight * 0.86 * (1 + random.bell(spread.stretch));
  const height = digitHeight * (1 + random.bell(spread.stretch));
  const centre = (digitSide - 1) / 2;
  const shiftX = centre + random.bell(spread.shiftPixels);
  const shiftY = centre + random.bell(spread.shiftPixels);
  // Of so small an angle three terms are enough, and unlike Math.sin they are the same bits on every engine.
  const sine = angle * (1 - (angle * angle) / 6);
  const cosine = 1 - (angle * angle) / 2;
  return (x, y) => {
    const v = (y - 0.5) * height;
    const u = (x - 0.5) * width - slant * v;
    return [shiftX + cosine * u - sine * v, shiftY + sine * u + cosine * v];
  };
}

/** A smooth wave of period 2 between -1 and 1 (parabolas for the sine's halves, for the same reason). */
function wave(t: number): number {
  const within = t - 2 * Math.floor(t / 2);
  return within < 1 ? 4 * within * (1 - within) : -4 * (within - 1) * (2 - within);
}

/** Ink of uneven strength and a grain over the paper, kept within 0 … 1 and rounded to 256 levels as a scan is. */
function finish(image: Float32Array, random: HostRandom): void {
  const ink = random.uniform(0.7, 1);
  for (let i = 0; i < image.length; i++) {
    const value = (image[i] as number) * ink + random.bell(spread.noise);
    image[i] = Math.round(Math.min(1, Math.max(0, value)) * 255) / 255;
  }
}
