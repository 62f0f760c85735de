/**
 * Element-wise kernels that read along one variable and write along another, like a transposition: blocks fetch tiles
 * into shared memory along the one and go on along the other, so that both sides touch whole lines of memory.
 */
import { sizeOf, type Value } from "@thalweg/core/backend";
import { kernelLaunch, type Parameter } from "../kernel/kernelLaunch.ts";
import type { KernelContext, KernelLaunch } from "../kernel/launch.ts";
import { cType, writeBody } from "../source/index.ts";
import { type IndexType, type Point, type Surroundings, writeInvariant, writePoints } from "./elementwisePoints.ts";
import type { ElementwiseSpace } from "./elementwiseSpace.ts";
import { type TransposePlan, transposePlan } from "./transposePlan.ts";

const threads = 256;
/** Elements a thread fetches before it waits for them, of vectors or one by one. */
const fetchedAtOnce = (width: number): number => (width === 1 ? 8 : 4 * width);

export function transposeLaunch(
  space: ElementwiseSpace,
  surroundings: Surroundings,
  parameters: readonly Parameter[],
  context: KernelContext,
): KernelLaunch | undefined {
  const plan = transposePlan(
    space,
    surroundings.slots.map(({ dtype }) => dtype),
    context.target,
  );
  if (plan === undefined) return undefined;
  const { sizes } = space;
  const { index } = surroundings;
  const last = sizes.length - 1;
  const { along, loads, across, down } = plan;
  // Tiles along the last variable come first, then those along the other, then what is left.
  const tiles = sizes.map((size, variable) =>
    variable === last ? Math.ceil(size / down) : variable === along ? Math.ceil(size / across) : size,
  );
  const known = new Map<Value, readonly string[]>();
  const names = sizes.map((_size, variable) => (variable === last ? "d" : variable === along ? "a" : `i${variable}`));
  const memory = loads.map(({ dtype }, tile) => `__shared__ ${cType(dtype)} tile${tile}[${down * (across + 1)}];\n`);
  const body = [
    ...memory,
    blockCoordinates(tiles, names, { [last]: down, [along]: across }, index),
    writeInvariant(surroundings, sizes.length, known),
    fillTiles(sizes, names, plan, surroundings),
    "__syncthreads();\n",
    compute(sizes, names, plan, surroundings, known),
  ].join("");
  return kernelLaunch({ parameters, body, grid: sizeOf(tiles), block: threads }, context);
}

/** The variables at the first element of the block's tile, with a 0 after the names of those that a tile spans. */
function blockCoordinates(
  tiles: readonly number[],
  names: readonly string[],
  spans: Readonly<Record<number, number>>,
  index: IndexType,
): string {
  const lines = ["unsigned b = blockIdx.x;\n"];
  const order = Object.keys(spans).map(Number);
  order.sort((a, b) => b - a);
  const others = tiles.map((_size, variable) => variable).filter((variable) => !(variable in spans));
  const all = [...order, ...others.reverse()];
  for (const [position, variable] of all.entries()) {
    const span = spans[variable];
    const name = span === undefined ? names[variable] : `${names[variable]}0`;
    const part = position === all.length - 1 ? "b" : `b % ${tiles[variable]}u`;
    lines.push(`const ${index} ${name} = (${index})(${part})${span === undefined ? "" : ` * ${span}`};\n`);
    if (position < all.length - 1) lines.push(`b /= ${tiles[variable]}u;\n`);
  }
  return lines.join("");
}

const clamped = (name: string, most: number, ragged: boolean): string =>
  ragged ? `${name} < ${most} ? ${name} : ${most}` : name;

/** Fills the tiles. What lies outside the space is filled with what lies at its edge, and not used. */
function fillTiles(
  sizes: readonly number[],
  names: readonly string[],
  { along, loads, across, down, loadWidth }: TransposePlan,
  { slots, index }: Surroundings,
): string {
  const last = sizes.length - 1;
  const perRow = across / loadWidth;
  const rows = threads / perRow;
  const steps = down / rows;
  const batch = Math.min(fetchedAtOnce(loadWidth) / loadWidth, steps);
  const [a, d] = [sizes[along] as number, sizes[last] as number];
  const [fetching, keeping]: [string[], string[]] = [[], []];
  for (let number = 0; number < batch; number++) {
    const local = `l${number}`;
    const variables = names.map((name, variable) =>
      variable === along ? "a" : variable === last ? `d${number}_` : name,
    );
    fetching.push(
      `const int ${local} = row + ${number * rows};\nconst ${index} n${number}_ = d0 + ${local};
const ${index} d${number}_ = ${clamped(`n${number}_`, d - 1, d % down !== 0)};\n`,
    );
    for (const [tile, load] of loads.entries()) {
      const known = new Map<Value, readonly string[]>();
      const vector = loadWidth > 1 ? { vector: { variable: along, width: loadWidth } } : {};
      fetching.push(writeBody([load], { variables, slots, known, index, ...vector }, `f${number}_${tile}_`), "\n");
      const lanes = known.get(load.id) as readonly string[];
      for (let lane = 0; lane < loadWidth; lane++) {
        keeping.push(
          `tile${tile}[${local} * ${across + 1} + column + ${lane}] = ${lanes[lane] ?? (lanes[0] as string)};\n`,
        );
      }
    }
  }
  const inside = [...fetching, ...keeping].join("");
  return `{
const int column = (int)(threadIdx.x % ${perRow}) * ${loadWidth};
const ${index} whole = a0 + column;
const ${index} a = ${clamped("whole", a - loadWidth, a % across !== 0)};
for (int row = (int)(threadIdx.x / ${perRow}); row < ${down}; row += ${rows * batch}) {
${inside}}
}
`;
}

/** The body, with neighbouring threads along the last variable and the tiles' elements known. */
function compute(
  sizes: readonly number[],
  names: readonly string[],
  { along, loads, across, down, storeWidth }: TransposePlan,
  surroundings: Surroundings,
  known: ReadonlyMap<Value, readonly string[]>,
): string {
  const { index, parts } = surroundings;
  const last = sizes.length - 1;
  const perColumn = down / storeWidth;
  const columns = threads / perColumn;
  const [a, d] = [sizes[along] as number, sizes[last] as number];
  const conditions = [
    ...(a % across === 0 ? [] : [(number: number) => `m${number}_ < ${a}`]),
    ...(d % down === 0 ? [] : [() => `whole < ${d}`]),
  ];
  // With other loads in the body, two at once; otherwise all there is to wait for has come already.
  const waits = parts.loads.some(({ id }) => !loads.some((load) => load.id === id));
  const batch = waits ? Math.min(2, across / columns) : 1;
  const points = Array.from({ length: batch }, (_, number): Point => {
    const declarations = [
      `const int k${number} = column + ${number * columns};\nconst ${index} m${number}_ = a0 + k${number};\n`,
      `const ${index} a${number}_ = ${clamped(`m${number}_`, a - 1, a % across !== 0)};\n`,
    ];
    const found = new Map<Value, readonly string[]>();
    for (const [tile, load] of loads.entries()) {
      const lanes = Array.from({ length: storeWidth }, (_lane, lane) => `t${tile}_${number}_${lane}`);
      for (const [lane, name] of lanes.entries()) {
        declarations.push(
          `const ${cType(load.dtype)} ${name} = tile${tile}[(row + ${lane}) * ${across + 1} + k${number}];\n`,
        );
      }
      found.set(load.id, lanes);
    }
    return {
      declarations: declarations.join(""),
      variables: names.map((name, variable) => (variable === along ? `a${number}_` : variable === last ? "d" : name)),
      width: storeWidth,
      known: found,
      ...(conditions.length === 0 ? {} : { condition: conditions.map((condition) => condition(number)).join(" && ") }),
    };
  });
  return `{
const int row = (int)(threadIdx.x % ${perColumn}) * ${storeWidth};
const ${index} whole = d0 + row;
const ${index} d = ${clamped("whole", d - storeWidth, d % down !== 0)};
for (int column = (int)(threadIdx.x / ${perColumn}); column < ${across}; column += ${columns * batch}) {
${writePoints(surroundings, points, known, "")}}
}
`;
}
