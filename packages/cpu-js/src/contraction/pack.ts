/**
 * Source of the functions that copy a block of an operand into panels: groups of three lanes (rows of A, columns of B),
 * interleaved, so that the micro-kernel reads both operands from front to back. An operand is an affine view: lanes and
 * depth are each one or several axes with strides, which covers transposed matrices and the patches of a convolution.
 */
import { type Axis, countNames, countOf, productOf } from "./axis.ts";

export interface StridedAxis {
  readonly axis: Axis;
  readonly stride: number;
}

export interface PackSpec {
  readonly name: string;
  /** JavaScript name of the array that takes the panels. */
  readonly target: string;
  readonly read: (array: string, index: string) => string;
  /** Outermost first. */
  readonly lanes: readonly StridedAxis[];
  readonly depth: readonly StridedAxis[];
  /**
   * What happens to lanes that do not fill a panel of three: `narrow` makes a panel of as many lanes (only one axis, and
   * only its last block may have such lanes); `fill` repeats the first lane: what is computed from it is never read.
   */
  readonly rest: "narrow" | "fill";
}

/** Arguments after the array and the start index. */
export const packCounts = (spec: Pick<PackSpec, "lanes" | "depth">): string[] =>
  countNames([...spec.lanes, ...spec.depth].map(({ axis }) => axis));

interface WalkLoop {
  /** Factors of the number of iterations. */
  readonly counts: readonly string[];
  readonly stride: number;
}

/** The loops along the depth: axes of size 1 are dropped, axes that continue each other become one. */
function walkLoops(depth: readonly StridedAxis[]): WalkLoop[] {
  const loops: WalkLoop[] = [];
  for (const { axis, stride } of [...depth].reverse()) {
    if (axis.size === 1) continue;
    const inner = loops[0];
    const span = inner === undefined ? undefined : Number(productOf(inner.counts)) * inner.stride;
    if (inner !== undefined && span === stride)
      loops[0] = { counts: [countOf(axis), ...inner.counts], stride: inner.stride };
    else loops.unshift({ counts: [countOf(axis)], stride });
  }
  return loops;
}

const unrollLimit = 8;

function walk(loops: readonly WalkLoop[], lanes: number, spec: PackSpec): string {
  const copy = (offset: string, slot: number) =>
    Array.from({ length: lanes }, (_, lane) => {
      const index = offset === "" ? `lane${lane}` : `lane${lane} + ${offset} | 0`;
      const to = slot * lanes + lane;
      return `${spec.target}[${to === 0 ? "p" : `p + ${to} | 0`}] = ${spec.read("source", index)};`;
    }).join(" ");
  const emit = (depth: number, offset: string): string => {
    const loop = loops[depth];
    if (loop === undefined) return `${copy(offset, 0)}\np = p + ${lanes} | 0;`;
    const count = productOf(loop.counts);
    if (depth === loops.length - 1 && Number(count) <= unrollLimit) {
      const size = Number(count);
      const lines = Array.from({ length: size }, (_, step) => {
        const add = step * loop.stride;
        return copy(add === 0 ? offset : offset === "" ? `${add}` : `${offset} + ${add}`, step);
      });
      return `${lines.join("\n")}\np = p + ${size * lanes} | 0;`;
    }
    const [t, o] = [`t${depth}`, `o${depth}`];
    return `for (let ${t} = 0, ${o} = ${offset === "" ? "0" : offset}; ${t} < n${depth}; ${t} = ${t} + 1 | 0, ${o} = ${o} + ${loop.stride} | 0) {\n${emit(depth + 1, o)}\n}`;
  };
  return emit(0, "");
}

/** Statements that move `base` to the next lane, and their variables. */
function advance(lanes: readonly StridedAxis[]): { declare: string; step: string } {
  const axes = lanes.filter(({ axis }, index) => axis.size !== 1 || index === lanes.length - 1);
  const last = axes.length - 1;
  const declare = axes
    .slice(1)
    .map(({ axis, stride }, index) => {
      const outer = axes[index] as StridedAxis;
      return `let at${index + 1} = 0; const wrap${index + 1} = ${outer.stride} - Math.imul(${stride}, ${countOf(axis)}) | 0;`;
    })
    .join("\n");
  const wrap = (level: number): string => {
    if (level === 0) return "";
    const count = countOf((axes[level] as StridedAxis).axis);
    return ` at${level} = at${level} + 1 | 0; if (at${level} === ${count}) { at${level} = 0; base = base + wrap${level} | 0;${wrap(level - 1)} }`;
  };
  return { declare, step: `base = base + ${(axes[last] as StridedAxis).stride} | 0;${wrap(last)}` };
}

/**
 * A function (source, start, …counts) that fills the target from its first element, and the functions it calls for each
 * panel: small functions are optimised as a whole, where one with all the loops would be replaced piecemeal while it runs.
 */
export function packSource(spec: PackSpec): string {
  const { name, lanes, rest } = spec;
  const loops = walkLoops(spec.depth);
  const { declare, step } = advance(lanes);
  const counts = loops.map((loop, depth) => `const n${depth} = ${productOf(loop.counts)};`);
  const walkCounts = countNames(spec.depth.map(({ axis }) => axis));
  const total = productOf(lanes.map(({ axis }) => countOf(axis)));
  const panelDepth = productOf(spec.depth.map(({ axis }) => countOf(axis)));
  const first = lanes[0]?.axis as Axis;
  const narrow = rest === "narrow" ? first.size % 3 : 0;
  const takeLane = (lane: number) =>
    lane === 0 || rest === "narrow"
      ? `const lane${lane} = base; ${step}`
      : `let lane${lane} = lane0; if ((taken + ${lane} | 0) < total) { lane${lane} = base; ${step} }`;
  const laneNames = (width: number) => ["lane0", "lane1", "lane2"].slice(0, width);
  const panel = (
    width: number,
  ) => `function ${name}Panel${width}(${["source", ...laneNames(width), "p", ...walkCounts].join(", ")}) {
${counts.join("\n")}
${walk(loops, width, spec)}
}
`;
  const fill = (width: number) => `${laneNames(width)
    .map((_, lane) => takeLane(lane))
    .join("\n")}
${name}Panel${width}(${["source", ...laneNames(width), "p", ...walkCounts].join(", ")});
p = p + Math.imul(${width}, depth) | 0;`;
  const hasFull = rest === "fill" || first.size >= 3;
  const until = rest === "narrow" ? "(taken + 2 | 0) < total" : "taken < total";
  return `${hasFull ? panel(3) : ""}${narrow === 0 ? "" : panel(narrow)}function ${name}(${["source", "start", ...packCounts(spec)].join(", ")}) {
const total = ${total};
const depth = ${panelDepth};
let p = 0;
let base = start;
${declare}
let taken = 0;
${hasFull ? `for (; ${until}; taken = taken + 3 | 0) {\n${fill(3)}\n}` : ""}
${narrow === 0 ? "" : `if (taken < total) {\n${fill(narrow)}\n}`}
}`;
}
