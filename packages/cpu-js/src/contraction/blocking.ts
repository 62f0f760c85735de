/**
 * Sizes of blocks. A panel of A (3 × depth doubles) stays in the first-level cache while all panels of B pass by it; the
 * block of B stays in the second level. Measured: nothing between half and twice these sizes matters much.
 */
import { type Axis, evenAxis, wholeAxis } from "./axis.ts";

export const rowTarget = 192;
export const columnTarget = 240;
export const depthTarget = 384;

/** Doubles of the block of B that should not be exceeded when the depth cannot be cut. */
const largestBlock = 98304;

/** Columns of a block when its depth is at least `depth`. */
export const columnsFor = (depth: number): number =>
  Math.max(12, Math.min(columnTarget, Math.floor(largestBlock / Math.max(depth, 1))));

/** Blocks of about `target` positions of images: several whole images, or rows of one, or a part of a row. */
export function positionAxes(images: number, height: number, width: number, target: number): [Axis, Axis, Axis] {
  const plane = height * width;
  if (plane <= target) {
    const together = Math.max(1, Math.floor(target / Math.max(plane, 1)));
    return [evenAxis("n", images, together), wholeAxis("y", height), wholeAxis("x", width)];
  }
  const one: Axis = { name: "n", size: images, block: 1 };
  if (width <= target) return [one, evenAxis("y", height, Math.floor(target / width)), wholeAxis("x", width)];
  return [one, { name: "y", size: height, block: 1 }, evenAxis("x", width, target)];
}
