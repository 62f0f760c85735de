/** Stable sorts in memory, shared by all kernels of a module that sort. */
import type { Code } from "../code.ts";
import { bulk, type FunctionBuilder, type FunctionReference, i32, i64, type Local } from "../emit/index.ts";

/** How an element lies in memory: a key, an unsigned number, and what goes with it, which comes in ascending. */
export interface ElementLayout {
  /** Both in one word: ordered as a whole it is ordered by the key, which is its high half. Or a word for each, the key first. */
  readonly bytes: 8 | 16;
  readonly keyOffset: 4 | 0;
  readonly keyBytes: 4 | 8;
}

export const narrowElement: ElementLayout = { bytes: 8, keyOffset: 4, keyBytes: 4 };
export const wideElement: ElementLayout = { bytes: 16, keyOffset: 0, keyBytes: 8 };

type Address = Local<"i32">;

/** Up to so many elements insertion is faster than to look at all counters of the other sort. */
const insertionLimit = 64;

/** A digit is a byte of the key; every value it can have is counted in 32 bits. */
const digitValues = 256;
const counterBytes = 4 * digitValues;

/** Bytes behind the elements that a sort of n needs, and that hold anything. */
export function spareBytes({ bytes, keyBytes }: ElementLayout, n: number): number {
  return n <= insertionLimit ? 0 : n * bytes + keyBytes * counterBytes;
}

/**
 * A function of three i32: the elements' address, that of the spare bytes, and the number of elements, `n`, which decides
 * how they are sorted. It gives the address where they lie in order: as they came, or at the beginning of the spare bytes.
 */
export function sortFunction(code: Code, layout: ElementLayout, n: number): FunctionReference {
  const [name, build] = n <= insertionLimit ? (["insertion", insertionSort] as const) : (["radix", radixSort] as const);
  return code.module.shared(`${name} sort of ${layout.bytes} bytes`, ["i32", "i32", "i32"], ["i32"], (f) =>
    build(f, layout),
  );
}

/** The words of the element at an address. */
function load(f: FunctionBuilder, { bytes }: ElementLayout, at: Address): Local<"i64">[] {
  return bytes === 8 ? [f.let(i64.load(at))] : [f.let(i64.load(at)), f.let(i64.load(at, 8))];
}

function store(f: FunctionBuilder, at: Address, words: readonly Local<"i64">[]): void {
  for (const [i, word] of words.entries()) f.do(i64.store(at, word, 8 * i));
}

function insertionSort(f: FunctionBuilder, layout: ElementLayout): void {
  const { bytes } = layout;
  const elements = f.parameter(0, "i32");
  const [at, hole, before, i] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  f.set(at, elements);
  f.for(i, 1, f.parameter(2, "i32"), 1, () => {
    f.set(at, i32.add(at, bytes));
    const words = load(f, layout, at);
    f.set(hole, at);
    f.block((found) => {
      f.loop((on) => {
        f.brIf(found, i32.eq(hole, elements));
        f.set(before, i32.sub(hole, bytes));
        const larger = load(f, layout, before);
        f.brIf(found, i32.eqz(i64.ltU(words[0] as Local<"i64">, larger[0] as Local<"i64">)));
        store(f, hole, larger);
        f.set(hole, before);
        f.br(on);
      });
    });
    store(f, hole, words);
  });
  f.return(elements);
}

/**
 * By one digit after another, from the last to the first: each pass puts the elements where those of lesser digits leave
 * room, equal ones in the order in which they lie. No comparisons, and so nothing to mispredict.
 */
function radixSort(f: FunctionBuilder, layout: ElementLayout): void {
  const { bytes, keyOffset, keyBytes } = layout;
  const n = f.parameter(2, "i32");
  const [from, to, at, i] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  f.set(from, f.parameter(0, "i32"));
  f.set(to, f.parameter(1, "i32"));
  const counters = f.let(i32.add(to, i32.mul(n, bytes)));

  // All digits are counted in one pass: how often each comes does not depend on the order.
  f.do(bulk.fill(counters, 0, keyBytes * counterBytes));
  f.set(at, from);
  f.for(i, 0, n, 1, () => {
    for (let digit = 0; digit < keyBytes; digit++) {
      const counter = f.let(i32.add(counters, i32.shl(i32.load8U(at, keyOffset + digit), 2)));
      f.do(i32.store(counter, i32.add(i32.load(counter, digit * counterBytes), 1), digit * counterBytes));
    }
    f.set(at, i32.add(at, bytes));
  });

  const [digit, row, value, room] = [f.local("i32"), f.local("i32"), f.local("i32"), f.local("i32")];
  const counterOf = (element: Address): Address =>
    f.let(i32.add(row, i32.shl(i32.load8U(i32.add(element, digit), keyOffset), 2)));
  f.for(digit, 0, keyBytes, 1, () => {
    f.set(row, i32.add(counters, i32.mul(digit, counterBytes)));
    // A digit that is the same in all keys moves nothing.
    f.if(i32.ne(i32.load(counterOf(from)), n), () => {
      f.set(room, to);
      f.set(at, row);
      f.for(value, 0, digitValues, 1, () => {
        const count = f.let(i32.load(at));
        f.do(i32.store(at, room));
        f.set(room, i32.add(room, i32.mul(count, bytes)));
        f.set(at, i32.add(at, 4));
      });
      f.set(at, from);
      f.for(i, 0, n, 1, () => {
        const counter = counterOf(at);
        const place = f.let(i32.load(counter));
        f.do(i32.store(counter, i32.add(place, bytes)));
        store(f, place, load(f, layout, at));
        f.set(at, i32.add(at, bytes));
      });
      f.set(at, from);
      f.set(from, to);
      f.set(to, at);
    });
  });
  f.return(from);
}
