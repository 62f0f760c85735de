/** Philox 4x32-10 (Salmon et al., SC 2011), word by word: the last block is kept, so a run of words costs a quarter each. */

/** The last block: its four words, then (as int32) the counter, the key and the stream it was made from. */
const block = new Uint32Array(4);
const origin = new Int32Array(5).fill(-1);

/** High word of the unsigned product, by 16-bit halves: no partial sum exceeds 32 bits. */
export function mulHighUint32(a: number, b: number): number {
  const ah = a >>> 16;
  const al = a & 0xffff;
  const bh = b >>> 16;
  const bl = b & 0xffff;
  const t = (Math.imul(ah, bl) + (Math.imul(al, bl) >>> 16)) >>> 0;
  const w = (Math.imul(al, bh) + (t & 0xffff)) >>> 0;
  return (Math.imul(ah, bh) + (t >>> 16) + (w >>> 16)) >>> 0;
}

function fill(position: number, k0: number, k1: number, s0: number, s1: number): void {
  origin[0] = position;
  origin[1] = k0;
  origin[2] = k1;
  origin[3] = s0;
  origin[4] = s1;
  let c0 = position;
  let c1 = 0;
  let c2 = s0;
  let c3 = s1;
  let a = k0;
  let b = k1;
  for (let round = 0; round < 10; round++) {
    const high0 = mulHighUint32(0xd2511f53, c0);
    const high1 = mulHighUint32(0xcd9e8d57, c2);
    const low0 = Math.imul(0xd2511f53, c0);
    const low1 = Math.imul(0xcd9e8d57, c2);
    c0 = high1 ^ c1 ^ a;
    c1 = low1;
    c2 = high0 ^ c3 ^ b;
    c3 = low0;
    a = (a + 0x9e3779b9) | 0;
    b = (b + 0xbb67ae85) | 0;
  }
  block[0] = c0;
  block[1] = c1;
  block[2] = c2;
  block[3] = c3;
}

/** Word `index` (non-negative) of a stream: lane index mod 4 of the block with counter (index div 4, 0, stream0, stream1). */
export function philox(index: number, k0: number, k1: number, s0: number, s1: number): number {
  const position = index >> 2;
  const a = k0 | 0;
  const b = k1 | 0;
  const c = s0 | 0;
  const d = s1 | 0;
  if (position !== origin[0] || a !== origin[1] || b !== origin[2] || c !== origin[3] || d !== origin[4]) {
    fill(position, a, b, c, d);
  }
  return block[index & 3] as number;
}
