/** Rows that several blocks share: one launch per inner stage, each with the outer stages up to the next. */
import { type Instruction, operandsOf, type Stage, type Value } from "@thalweg/core/backend";
import { isReduction } from "./rowsReduce.ts";

/** What one launch does. */
export interface RowPart {
  /** Outer instructions of earlier parts that this one needs, computed again. */
  readonly before: readonly Instruction[];
  readonly stages: readonly Stage[];
  /** Reductions of earlier parts that it needs. */
  readonly known: ReadonlySet<Value>;
}

type Alias = (a: number, b: number) => boolean;

const slotsOf = (body: readonly Instruction[], op: "load" | "store"): number[] =>
  body.flatMap((instruction) => (instruction.op === op ? [instruction.slot] : []));

const meet = (a: readonly number[], b: readonly number[], mayAlias: Alias): boolean =>
  a.some((x) => b.some((y) => mayAlias(x, y)));

/** Instructions that stores, or reductions that are `wanted`, depend on. */
function needed(bodies: readonly (readonly Instruction[])[], wanted: (value: Value) => boolean): Set<Value> {
  const live = new Set<Value>();
  for (const body of [...bodies].reverse()) {
    for (const instruction of [...body].reverse()) {
      if (instruction.op === "store" || (isReduction(instruction) && wanted(instruction.id))) live.add(instruction.id);
      if (live.has(instruction.id)) for (const value of operandsOf(instruction)) live.add(value);
    }
  }
  return live;
}

/** Undefined where a part would compute again what it or an earlier one may have overwritten. */
export function rowParts(stages: readonly Stage[], mayAlias: Alias): RowPart[] | undefined {
  const first = stages.findIndex(({ over }) => over === "inner");
  const leading = stages.slice(0, Math.max(0, first)).flatMap(({ body }) => body);
  const early = leading.filter(({ op }) => op === "store");
  const loads = stages.flatMap(({ body }) => slotsOf(body, "load"));
  if (meet(slotsOf(early, "store"), loads, mayAlias)) return undefined;
  const groups: Stage[][] = [];
  for (const stage of stages.slice(Math.max(0, first))) {
    if (stage.over === "inner") groups.push([stage]);
    else groups.at(-1)?.push(stage);
  }
  if (early.length > 0) groups[0]?.splice(1, 0, { over: "outer", body: early });
  const uses = new Set(stages.flatMap(({ body }) => body.flatMap(operandsOf)));
  const parts: RowPart[] = [];
  let earlier: Instruction[] = leading.filter(({ op }) => op !== "store");
  const reduced = new Set<Value>();
  const stored: number[] = [];
  for (const group of groups) {
    const bodies = [earlier, ...group.map(({ body }) => body)];
    const live = needed(bodies, (value) => uses.has(value));
    const keep = (body: readonly Instruction[]): Instruction[] => body.filter(({ id }) => live.has(id));
    const before = keep(earlier);
    const inner = group[0] as Stage;
    if (meet(slotsOf(before, "load"), [...stored, ...slotsOf(inner.body, "store")], mayAlias)) return undefined;
    parts.push({
      before,
      stages: group.map(({ over, body }) => ({ over, body: keep(body) })),
      known: new Set([...reduced].filter((value) => live.has(value))),
    });
    for (const { over, body } of group) {
      stored.push(...slotsOf(body, "store"));
      for (const instruction of body) {
        if (isReduction(instruction)) reduced.add(instruction.id);
        else if (over === "outer" && instruction.op !== "store") earlier = [...earlier, instruction];
      }
    }
  }
  return parts;
}
