/**
 * Draws one segment of a pen stroke of the given radius (in pixels) into a square `image`: a pixel is covered by how far
 * its centre lies inside the pen's edge, over one pixel, which is anti-aliasing exact for straight edges along the axes.
 * Where strokes cross the darker one counts, so crossings do not glow.
 */
export function drawSegment(
  image: Float32Array,
  side: number,
  [x0, y0, x1, y1]: readonly [number, number, number, number],
  radius: number,
): void {
  const reach = radius + 0.5;
  const left = Math.max(0, Math.ceil(Math.min(x0, x1) - reach));
  const right = Math.min(side - 1, Math.floor(Math.max(x0, x1) + reach));
  const top = Math.max(0, Math.ceil(Math.min(y0, y1) - reach));
  const bottom = Math.min(side - 1, Math.floor(Math.max(y0, y1) + reach));
  const [dx, dy] = [x1 - x0, y1 - y0];
  const perLength = 1 / Math.max(dx * dx + dy * dy, 1e-9);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = Math.min(1, Math.max(0, ((x - x0) * dx + (y - y0) * dy) * perLength));
      const [ex, ey] = [x - x0 - along * dx, y - y0 - along * dy];
      const squared = ex * ex + ey * ey;
      if (squared >= reach * reach) continue;
      const cover = Math.min(1, reach - Math.sqrt(squared));
      const pixel = y * side + x;
      if (cover > (image[pixel] as number)) image[pixel] = cover;
    }
  }
}
