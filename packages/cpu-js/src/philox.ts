/** Philox 4x32-10 (Salmon et al., SC 2011), word by word: the last block is kept, so a run of words costs a quarter each. */

const block = new Uint32Array(4);
let counter = -1;
let key0 = 0;
let key1 = 0;
let stream0 = 0;
let stream1 = 0;

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

function fill(index: number, k0: number, k1: number, s0: number, s1: number): void {
  counter = index;
  key0 = k0;
  key1 = k1;
  stream0 = s0;
  stream1 = s1;
  let c0 = index | 0;
  let c1 = 0;
  let c2 = s0 | 0;
  let c3 = s1 | 0;
  let a = k0 | 0;
  let b = k1 | 0;
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
  const position = index >>> 2;
  if (position !== counter || k0 !== key0 || k1 !== key1 || s0 !== stream0 || s1 !== stream1) fill(position, k0, k1, s0, s1);
  return block[index & 3] as number;
}
