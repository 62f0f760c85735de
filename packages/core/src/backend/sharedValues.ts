/**
 * Row programs: expensive values that several inner stages compute alike (the exponentials of a softmax, needed for
 * their sum and then for the quotient) are kept in a scratch row by the first stage and read back by the later ones.
 */
import { sizeOf } from "../graph/shape.ts";
import { isExpensive, operandsOf } from "./dataflow.ts";
import type { Instruction, LoopKernel, Value } from "./program.ts";

export interface SharedValues {
  /** Scratch row that a value is written to once computed. */
  readonly kept: ReadonlyMap<Value, number>;
  /** Scratch row that holds a value already. */
  readonly known: ReadonlyMap<Value, number>;
  readonly rows: number;
}

const defaultRowLimit = 1 << 16;

interface Tree {
  /** Number of the structure: equal trees have equal keys. */
  readonly key: number;
  readonly expensive: boolean;
  /** Slots it loads from. */
  readonly loads: ReadonlySet<number>;
  readonly numeric: boolean;
}

/** What an instruction computes, by structure: operands of inner stages by their own trees, all others by name. */
function treeOf(instruction: Instruction, trees: ReadonlyMap<Value, Tree>, keys: Map<string, number>): Tree {
  const name = (value: Value): number | string => trees.get(value)?.key ?? `#${value}`;
  const { id: _, ...rest } = instruction;
  const structure = JSON.stringify(rest, (field, value: unknown) => {
    if (field === "args") return (value as Value[]).map(name);
    if (field === "dynamic")
      return (value as { value: Value }[]).map((entry) => ({ ...entry, value: name(entry.value) }));
    return value;
  });
  // Numbers, not the text of whole trees: a value used twice at every level would double it each time.
  const key = keys.get(structure) ?? keys.size;
  keys.set(structure, key);
  const operands = operandsOf(instruction).flatMap((value) => trees.get(value) ?? []);
  const loads = new Set(operands.flatMap((tree) => [...tree.loads]));
  if (instruction.op === "load") loads.add(instruction.slot);
  return {
    key,
    expensive: isExpensive(instruction) || operands.some((tree) => tree.expensive),
    loads,
    numeric: "dtype" in instruction && instruction.dtype !== "bool",
  };
}

const none: SharedValues = { kept: new Map(), known: new Map(), rows: 0 };

/** `mayAlias(a, b)`: the slots may lie in the same memory. `rowLimit`: elements a scratch row can have. */
export function findShared(
  { inner, stages }: Pick<LoopKernel, "inner" | "stages">,
  live: ReadonlySet<Value>,
  mayAlias: (a: number, b: number) => boolean,
  rowLimit = defaultRowLimit,
): SharedValues {
  if (stages.filter((stage) => stage.over === "inner").length < 2 || sizeOf(inner) > rowLimit) return none;
  const kept = new Map<Value, number>();
  const known = new Map<Value, number>();
  const first = new Map<number, { value: Value; tree: Tree }>();
  const keys = new Map<string, number>();
  let rows = 0;
  const forget = (body: readonly Instruction[]) => {
    for (const instruction of body) {
      if (instruction.op !== "store") continue;
      for (const [key, { tree }] of first) {
        if ([...tree.loads].some((slot) => mayAlias(slot, instruction.slot))) first.delete(key);
      }
    }
  };
  for (const stage of stages) {
    if (stage.over === "outer") {
      forget(stage.body);
      continue;
    }
    const trees = new Map<Value, Tree>();
    const body = stage.body.filter((instruction) => live.has(instruction.id));
    for (const instruction of body) {
      if (instruction.op !== "store" && instruction.op !== "reduce")
        trees.set(instruction.id, treeOf(instruction, trees, keys));
    }
    const matches = new Map<Value, Value>();
    for (const [value, tree] of trees) {
      const earlier = first.get(tree.key);
      if (tree.expensive && tree.numeric && earlier !== undefined) matches.set(value, earlier.value);
    }
    for (const instruction of body) {
      if (matches.has(instruction.id)) continue;
      for (const value of operandsOf(instruction)) {
        const source = matches.get(value);
        if (source === undefined) continue;
        const row = kept.get(source) ?? rows++;
        kept.set(source, row);
        known.set(value, row);
      }
    }
    for (const [value, tree] of trees) if (!first.has(tree.key)) first.set(tree.key, { value, tree });
    // What this stage overwrites can no longer be assumed to give the same values.
    forget(body);
  }
  return { kept, known, rows };
}
