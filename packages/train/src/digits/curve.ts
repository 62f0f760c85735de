import type { Stroke } from "./glyphs.ts";

/** Pieces a curve is cut into between two of its points. */
const piecesPerSpan = 5;

/**
 * The polyline of the Catmull-Rom spline through the points of `stroke`, as x, y pairs. The curve passes through every point
 * with the direction of its neighbours; a repeated point ends one curve and begins another, which makes a corner.
 */
export function polylineOf(stroke: Stroke): number[] {
  const line: number[] = [];
  const at = (i: number) => stroke[i] as readonly [number, number];
  let start = 0;
  for (let end = 1; end < stroke.length; end++) {
    const corner = at(end)[0] === at(end - 1)[0] && at(end)[1] === at(end - 1)[1];
    if (!corner && end < stroke.length - 1) continue;
    trace(stroke.slice(start, corner ? end : end + 1), line);
    start = end;
  }
  return line;
}

function trace(points: Stroke, line: number[]): void {
  const last = points.length - 1;
  const at = (i: number) => points[Math.min(Math.max(i, 0), last)] as readonly [number, number];
  for (let span = 0; span < last; span++) {
    const [p, q, r, s] = [at(span - 1), at(span), at(span + 1), at(span + 2)];
    for (let piece = span === 0 && line.length === 0 ? 0 : 1; piece <= piecesPerSpan; piece++) {
      const t = piece / piecesPerSpan;
      line.push(catmullRom(p[0], q[0], r[0], s[0], t), catmullRom(p[1], q[1], r[1], s[1], t));
    }
  }
}

function catmullRom(p: number, q: number, r: number, s: number, t: number): number {
  return q + 0.5 * t * (r - p + t * (2 * p - 5 * q + 4 * r - s + t * (3 * (q - r) + s - p)));
}
