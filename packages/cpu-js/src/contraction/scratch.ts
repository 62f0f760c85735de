/**
 * The arrays packed panels, accumulators and padded images live in, shared by all contractions. They are plain arrays of
 * doubles, not Float64Arrays: V8 addresses an element of one with a single bounds check and no sign extension, which in
 * the micro-kernel is worth 20 %. They only ever grow, in place, so compiled code can hold on to them.
 */
export interface ContractionScratch {
  readonly a: number[];
  readonly b: number[];
  readonly c: number[];
  readonly image: number[];
}

const scratch: ContractionScratch = { a: [], b: [], c: [], image: [] };

function grow(array: number[], length: number): void {
  // A fraction, pushed: the array becomes and stays a packed array of doubles.
  while (array.length < length) array.push(0.5);
}

/** The shared arrays, with at least as many elements as asked for. Contents are undefined. */
export function contractionScratch(a: number, b: number, c: number, image: number): ContractionScratch {
  grow(scratch.a, a);
  grow(scratch.b, b);
  grow(scratch.c, c);
  grow(scratch.image, image);
  return scratch;
}
