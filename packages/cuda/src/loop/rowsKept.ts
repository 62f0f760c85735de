/**
 * What a thread of a row program keeps from one stage over the inner space to the later ones: elements it has loaded, so
 * that a row is read from memory once, and values that cost more to compute again than to hold.
 */
import {
  type Affine,
  type ComputeDType,
  type Condition,
  computeDType,
  type DType,
  type Instruction,
  isExpensive,
  liveValues,
  operandsOf,
  type Stage,
  type Value,
} from "@thalweg/core/backend";

/** One number per point of the inner space. */
export interface KeptRow {
  readonly dtype: ComputeDType;
  /** Rows of one place are never needed at the same time: each point's number is last read before the next one's is written. */
  readonly place: number;
}

export interface KeptValues {
  readonly rows: readonly KeptRow[];
  /** The row that a value is written to once computed. */
  readonly kept: ReadonlyMap<Value, number>;
  /** The row that holds a value already. */
  readonly known: ReadonlyMap<Value, number>;
  /** Places that rows need. */
  readonly live: number;
}

export const nothingKept: KeptValues = { rows: [], kept: new Map(), known: new Map(), live: 0 };

interface Tree {
  /** Number of the structure: trees that give the same value have equal keys. */
  readonly key: number;
  /** It reads elements that differ along the inner space, or takes long. */
  readonly worthKeeping: boolean;
}

interface Source {
  readonly value: Value;
  readonly stage: number;
  readonly tree: Tree;
}

const exactly: ReadonlySet<DType> = new Set(["float32", "float64", "int32", "uint32", "bool"]);

/** Numbers expressions by what they compute; what memory holds has a new number after each store to it. */
class Numbering {
  readonly #outerRank: number;
  readonly #mayAlias: (a: number, b: number) => boolean;
  readonly #keys = new Map<string, number>();
  /** How often each slot may have been written so far. */
  readonly #versions: number[];
  /** What a load gives that reads what was stored before. */
  readonly #stored = new Map<string, Tree>();

  constructor(outerRank: number, slots: number, mayAlias: (a: number, b: number) => boolean) {
    this.#outerRank = outerRank;
    this.#versions = new Array<number>(slots).fill(0);
    this.#mayAlias = mayAlias;
  }

  #structure(instruction: object, trees: ReadonlyMap<Value, Tree>): string {
    const name = (value: Value): number | string => trees.get(value)?.key ?? `#${value}`;
    return JSON.stringify(instruction, (field, value: unknown) => {
      if (field === "id") return undefined;
      if (field === "args") return (value as Value[]).map(name);
      if (field === "dynamic")
        return (value as { value: Value }[]).map((entry) => ({ ...entry, value: name(entry.value) }));
      // JSON has no -0, NaN and infinities.
      if (field === "value" && typeof value === "number" && !(Number.isFinite(value) && !Object.is(value, -0)))
        return Object.is(value, -0) ? "-0" : `${value}`;
      return value;
    });
  }

  /** Fields in one order, so that loads that are alike have equal structures. */
  #load(slot: number, dtype: ComputeDType, at: Affine, conditions: readonly Condition[] = []): object {
    const rest = conditions.length > 0 ? { conditions } : {};
    return { op: "load", dtype, slot, version: this.#versions[slot], at: { ...at }, ...rest };
  }

  treeOf(instruction: Instruction, trees: ReadonlyMap<Value, Tree>): Tree {
    const isLoad = instruction.op === "load";
    const structure = this.#structure(
      isLoad ? this.#load(instruction.slot, instruction.dtype, instruction.at, instruction.conditions) : instruction,
      trees,
    );
    const stored = this.#stored.get(structure);
    if (stored) return stored;
    const key = this.#keys.get(structure) ?? this.#keys.size;
    this.#keys.set(structure, key);
    let worthKeeping = isExpensive(instruction) || operandsOf(instruction).some((id) => trees.get(id)?.worthKeeping);
    if (isLoad) {
      const { strides, dynamic = [] } = instruction.at;
      worthKeeping ||=
        dynamic.length > 0 || strides.some((stride, variable) => variable >= this.#outerRank && stride !== 0);
    }
    return { key, worthKeeping };
  }

  /** `tree`: what a load of what is stored gives, if that is known. */
  store(
    { slot, at }: Instruction & { op: "store" },
    dtype: DType,
    tree: Tree | undefined,
    trees: ReadonlyMap<Value, Tree>,
  ): void {
    for (const other of this.#versions.keys()) {
      if (this.#mayAlias(slot, other)) (this.#versions[other] as number)++;
    }
    if (tree) this.#stored.set(this.#structure(this.#load(slot, computeDType(dtype), at), trees), tree);
  }
}

/** For each stage, which of its values equal which ones of earlier stages. */
function matchesByStage(
  stages: readonly Stage[],
  outerRank: number,
  slots: readonly DType[],
  mayAlias: (a: number, b: number) => boolean,
): Map<Value, Source>[] {
  const live = liveValues(stages.map(({ body }) => body));
  const numbering = new Numbering(outerRank, slots.length, mayAlias);
  const available = new Map<number, Source>();
  return stages.map(({ over, body }, stage) => {
    const matches = new Map<Value, Source>();
    const trees = new Map<Value, Tree>();
    const roundings = new Map<Value, DType>();
    for (const instruction of body) {
      if (!live.has(instruction.id)) continue;
      if (instruction.op === "store") {
        const dtype = slots[instruction.slot] as DType;
        const exact = over === "inner" && (exactly.has(dtype) || roundings.get(instruction.value) === dtype);
        numbering.store(instruction, dtype, exact ? trees.get(instruction.value) : undefined, trees);
        continue;
      }
      if (over === "outer" || instruction.op === "reduce") continue;
      if (instruction.op === "roundTo") roundings.set(instruction.id, instruction.to);
      const tree = numbering.treeOf(instruction, trees);
      trees.set(instruction.id, tree);
      const earlier = available.get(tree.key);
      if (earlier === undefined) available.set(tree.key, { value: instruction.id, stage, tree });
      else if (earlier.stage < stage && earlier.tree.worthKeeping && instruction.dtype !== "bool") {
        matches.set(instruction.id, earlier);
      }
    }
    return matches;
  });
}

/** The stage that computes a row, and the last one that reads it. */
interface Span {
  readonly birth: number;
  last: number;
}

/** Takes from earlier stages what `wanted` allows, from the results of each stage downwards. */
function choose(
  stages: readonly Stage[],
  matches: readonly ReadonlyMap<Value, Source>[],
  wanted: (instruction: Instruction) => boolean,
): KeptValues {
  const dtypes: ComputeDType[] = [];
  const kept = new Map<Value, number>();
  const known = new Map<Value, number>();
  const spans: Span[] = [];
  const live = liveValues(stages.map(({ body }) => body));
  for (const [index, { over, body }] of stages.entries()) {
    if (over === "outer") continue;
    const byId = new Map(body.map((instruction) => [instruction.id, instruction]));
    const seen = new Set<Value>();
    const visit = (value: Value): void => {
      const instruction = byId.get(value);
      if (instruction === undefined || seen.has(value)) return;
      seen.add(value);
      const source = matches[index]?.get(value);
      if (source === undefined || !wanted(instruction)) {
        for (const operand of operandsOf(instruction)) visit(operand);
        return;
      }
      let row = kept.get(source.value);
      if (row === undefined) {
        row = dtypes.length;
        dtypes.push((instruction as { readonly dtype: ComputeDType }).dtype);
        spans.push({ birth: source.stage, last: index });
        kept.set(source.value, row);
      }
      (spans[row] as Span).last = index;
      known.set(value, row);
    };
    for (const instruction of body) {
      if (!live.has(instruction.id)) continue;
      if (instruction.op === "store" || instruction.op === "reduce")
        for (const value of operandsOf(instruction)) visit(value);
    }
  }
  const places: number[] = [];
  const rows: KeptRow[] = [];
  const order = [...spans.keys()].sort((x, y) => (spans[x] as Span).birth - (spans[y] as Span).birth);
  for (const row of order) {
    const { birth, last } = spans[row] as Span;
    let place = places.findIndex((until) => until <= birth);
    if (place < 0) place = places.length;
    places[place] = last;
    rows[row] = { dtype: dtypes[row] as ComputeDType, place };
  }
  return { rows, kept, known, live: places.length };
}

/**
 * What may be kept, the best choice first, each of the others with fewer numbers at a time: the largest expressions that
 * stages have in common, or what takes long in them and the elements they are computed from, or these elements alone.
 * `slots`: the dtype of each.
 */
export function keptChoices(
  stages: readonly Stage[],
  outerRank: number,
  slots: readonly DType[],
  mayAlias: (a: number, b: number) => boolean,
): readonly KeptValues[] {
  if (stages.filter(({ over }) => over === "inner").length < 2) return [nothingKept];
  const matches = matchesByStage(stages, outerRank, slots, mayAlias);
  const largest = choose(stages, matches, () => true);
  const smallest = choose(stages, matches, (instruction) => instruction.op === "load" || isExpensive(instruction));
  const best = smallest.live < largest.live ? smallest : largest;
  const loads = choose(stages, matches, ({ op }) => op === "load");
  return loads.live < best.live ? [best, loads] : [best];
}
