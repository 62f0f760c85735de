/**
 * The inner loop of every packed contraction: a panel of up to three rows of A times all panels of three columns of B.
 *
 * Measured on V8 13 (Zen 4, 512³): 3×3 8.6 GFLOP/s, 3×5 8.3, 4×4 8.1, 3×4 7.1. Two things decide. First, registers: V8 has 15
 * for doubles, and an accumulator that is spilled costs a store-to-load round trip per step. 3×3 needs 15. Second, V8
 * moves all multiplications behind all loads and all additions behind those, so that even 3×3 would spill, unless
 * something between them needs the sums: a store, because execution may fall back to the interpreter after it, which needs
 * every variable. Hence `barrier[0] = 0` after each column. Without it all tiles stop at 5.9 GFLOP/s.
 */

/** Rows and columns of a tile. */
export const tileRows = 3;
export const tileColumns = 3;

/**
 * c[i·stride + 3·panel + j] (+)= Σ_k a[k·rows + i] · b[(panel·depth + k)·3 + j], for every panel, i < rows and j < 3; the
 * three operands start at `aStart`, 0 and `cStart`. With `add` the sums are added to what c holds, else they replace it.
 */
export type MicroKernel = (
  a: readonly number[],
  b: readonly number[],
  c: number[],
  aStart: number,
  cStart: number,
  depth: number,
  panels: number,
  stride: number,
  add: boolean,
) => void;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** `depth` must be a multiple of `unroll`. */
export function microKernelSource(rows: number, unroll: number, integer: boolean): string {
  const tile = range(rows).flatMap((i) => range(tileColumns).map((j) => ({ sum: `c${i}${j}`, i, j })));
  const steps = range(unroll).map((u) => {
    const loads = range(rows).map((i) => `const a${i}_${u} = a[pa + ${u * rows + i} | 0];`);
    const columns = range(tileColumns).map((j) => {
      const sums = range(rows).map((i) => {
        const [sum, x, y] = [`c${i}${j}`, `a${i}_${u}`, `b${j}_${u}`];
        return integer ? `${sum} = ${sum} + Math.imul(${x}, ${y}) | 0;` : `${sum} += ${x} * ${y};`;
      });
      const last = u === unroll - 1 && j === tileColumns - 1;
      return `const b${j}_${u} = b[pb + ${u * tileColumns + j} | 0]; ${sums.join(" ")}${last ? "" : " barrier[0] = 0;"}`;
    });
    return [...loads, ...columns].join("\n");
  });
  const stores = (operator: string) =>
    tile
      .map(({ sum, i, j }) => {
        const at = `c[pc + ${i === 0 ? "" : i === 1 ? "stride + " : `stride * ${i} + `}${j} | 0]`;
        return operator === "=" ? `${at} = ${sum};` : `${at} = ${at} + ${sum}${integer ? " | 0" : ""};`;
      })
      .join(" ");
  return `function (a, b, c, aStart, cStart, depth, panels, stride, add) {
let pb = 0;
let pc = cStart;
for (let panel = 0; panel < panels; panel = panel + 1 | 0) {
let ${tile.map(({ sum }) => `${sum} = 0`).join(", ")};
let pa = aStart;
const end = aStart + Math.imul(depth, ${rows}) | 0;
for (; pa < end; pa = pa + ${unroll * rows} | 0, pb = pb + ${unroll * tileColumns} | 0) {
${steps.join("\n")}
}
if (add) { ${stores("+=")} } else { ${stores("=")} }
pc = pc + ${tileColumns} | 0;
}
}`;
}

const made = new Map<string, MicroKernel>();

/** The micro-kernel of that many rows, compiled once and shared. */
export function microKernel(rows: number, unroll: number, integer: boolean): MicroKernel {
  const key = `${rows},${unroll},${integer}`;
  const known = made.get(key);
  if (known !== undefined) return known;
  const source = `"use strict"; const barrier = new Int32Array(1); return ${microKernelSource(rows, unroll, integer)};`;
  const kernel = new Function(source)() as MicroKernel;
  made.set(key, kernel);
  return kernel;
}
