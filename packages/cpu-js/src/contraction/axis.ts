/** Axes of a contraction, cut into blocks. */

export interface Axis {
  /** Stem of the JavaScript names of its block: `${name}From` and `${name}Count`. */
  readonly name: string;
  readonly size: number;
  /** Elements of a block; the last one may be shorter. */
  readonly block: number;
}

/** An axis whose blocks are as even as they can be, of at most about `target` elements, a multiple of `multiple`. */
export function evenAxis(name: string, size: number, target: number, multiple = 1): Axis {
  const parts = Math.max(1, Math.ceil(size / target));
  const block = Math.ceil(Math.ceil(size / parts) / multiple) * multiple;
  return { name, size, block: Math.max(block, 1) };
}

export const wholeAxis = (name: string, size: number): Axis => ({ name, size, block: Math.max(size, 1) });

export const isWhole = (axis: Axis): boolean => axis.block >= axis.size;

/** Elements of the longest block. */
export const longest = (axis: Axis): number => Math.min(axis.block, axis.size);

/** JavaScript of the first index of the current block. */
export const fromOf = (axis: Axis): string => (isWhole(axis) ? "0" : `${axis.name}From`);

/** JavaScript of the current block's length. */
export const countOf = (axis: Axis): string =>
  isWhole(axis) ? `${axis.size}` : axis.size % axis.block === 0 ? `${axis.block}` : `${axis.name}Count`;

/** Names a function has to be given to know the lengths of these blocks. */
export const countNames = (axes: readonly Axis[]): string[] =>
  axes.filter((axis) => countOf(axis) === `${axis.name}Count`).map(countOf);

/** Names of the first indices that vary. */
export const fromNames = (axes: readonly Axis[]): string[] =>
  axes.filter((axis) => !isWhole(axis)).map((axis) => `${axis.name}From`);

/** `body` inside loops over the blocks of all axes, the first outermost. */
export function blockLoops(axes: readonly Axis[], body: string): string {
  return axes.reduceRight((inner, axis) => {
    if (isWhole(axis)) return axis.size === 0 ? "" : inner;
    const { name, size, block } = axis;
    const count = size % block === 0 ? "" : `const ${name}Count = Math.min(${block}, ${size} - ${name}From);\n`;
    return `for (let ${name}From = 0; ${name}From < ${size}; ${name}From = ${name}From + ${block} | 0) {\n${count}${inner}\n}`;
  }, body);
}

/** JavaScript of a product; literals are multiplied here. */
export function productOf(factors: readonly (string | number)[]): string {
  let constant = 1;
  const names: string[] = [];
  for (const factor of factors) {
    if (/^\d+$/.test(`${factor}`)) constant *= Number(factor);
    else names.push(`${factor}`);
  }
  if (constant === 0 || names.length === 0) return `${constant}`;
  return names
    .reduce((product, name) => `Math.imul(${product}, ${name})`, `${constant}`)
    .replace(/^Math\.imul\(1, ([^()]*)\)/, "$1");
}

/** JavaScript of Σ coefficient · term, as int32. */
export function sumOf(terms: readonly (readonly [coefficient: number, term: string])[], constant = 0): string {
  const parts: string[] = [];
  let total = constant;
  for (const [coefficient, term] of terms) {
    if (coefficient === 0 || term === "0") continue;
    if (/^-?\d+$/.test(term)) total += coefficient * Number(term);
    else parts.push(coefficient === 1 ? term : `Math.imul(${term}, ${coefficient})`);
  }
  if (parts.length === 0) return `${total}`;
  if (total !== 0) parts.push(`${total}`);
  return parts.length === 1 ? (parts[0] as string) : `(${parts.join(" + ")} | 0)`;
}
