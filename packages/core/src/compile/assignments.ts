/** Which parameter updates can be written over the old value by the kernel that computes them. */
import type { LeafSource, Node } from "../graph/node.ts";
import { keyOf } from "./coordinates.ts";
import { Frame, hasInner } from "./domain.ts";
import type { Fusion, Group } from "./fuse.ts";

export interface Assignment {
  readonly target: LeafSource;
  readonly value: Node;
}

export interface InPlacePlan {
  /** Groups in an order in which every reader of an old value runs before its update. */
  readonly order: Group[];
  /** Assignments that need the value stored elsewhere first and copied over at the end. */
  readonly conflicts: Assignment[];
}

const sourceOf = (node: Node): LeafSource | undefined =>
  node.op === "parameter" || node.op === "data" ? node.attributes.source : undefined;

export function planInPlace(fusion: Fusion, assignments: readonly Assignment[]): InPlacePlan {
  const { groups, partition, groupOf } = fusion;
  const before = new Map<Group, Set<Group>>(groups.map((g) => [g, new Set()]));
  const readers = new Map<LeafSource, Set<Group>>();
  for (const group of groups) {
    for (const member of group.members) {
      for (const read of partition.reads(member)) {
        const producer = groupOf.get(read);
        if (producer && producer !== group) before.get(group)?.add(producer);
        const source = sourceOf(read);
        if (source) readers.set(source, (readers.get(source) ?? new Set()).add(group));
      }
    }
  }
  const reaches = (from: Group, to: Group): boolean => {
    const seen = new Set([from]);
    const stack = [from];
    for (let next = stack.pop(); next; next = stack.pop()) {
      if (next === to) return true;
      for (const earlier of before.get(next) as Set<Group>) {
        if (!seen.has(earlier)) {
          seen.add(earlier);
          stack.push(earlier);
        }
      }
    }
    return false;
  };
  const conflicts: Assignment[] = [];
  for (const assignment of assignments) {
    const group = groupOf.get(assignment.value) as Group;
    const others = [...(readers.get(assignment.target) ?? [])].filter((reader) => reader !== group);
    if (others.some((reader) => reaches(reader, group)) || !safeWithin(fusion, group, assignment)) {
      conflicts.push(assignment);
      continue;
    }
    for (const reader of others) before.get(group)?.add(reader);
  }
  // Updates come last where nothing needs them earlier: a kernel that fails (an index out of range) leaves the parameters
  // as they were.
  const updating = new Set(assignments.map(({ value }) => groupOf.get(value)));
  const lastly = [...groups.filter((g) => !updating.has(g)), ...groups.filter((g) => updating.has(g))];
  return { order: schedule(lastly, before), conflicts };
}

/** Inside its own kernel the old value is only read at the very element being written, before the write. */
function safeWithin({ partition }: Fusion, group: Group, { target, value }: Assignment): boolean {
  const readsTarget = (node: Node): boolean => [...partition.reads(node)].some((read) => sourceOf(read) === target);
  if (!group.members.some(readsTarget)) return true;
  if (group.kind === "indexed" || value === group.opaque || (group.opaque && readsTarget(group.opaque))) return false;
  const frame = new Frame(group.domain);
  const own = frame.place(value);
  if (!own || (hasInner(group.domain) && own.level === "reduce")) return false;
  for (const member of group.members) {
    const placement = frame.place(member);
    if (!placement || !readsTarget(member)) continue;
    if (hasInner(group.domain) && (member !== value || own.level === "full")) return false;
    for (const { node, position } of partition.accesses(frame.table, member, placement.source).accesses) {
      if (sourceOf(node) === target && keyOf(position) !== keyOf(own.position)) return false;
    }
  }
  return true;
}

function schedule(groups: readonly Group[], before: ReadonlyMap<Group, ReadonlySet<Group>>): Group[] {
  const order: Group[] = [];
  const done = new Set<Group>();
  const visit = (group: Group): void => {
    if (done.has(group)) return;
    done.add(group);
    for (const earlier of [...(before.get(group) as ReadonlySet<Group>)].sort((a, b) => a.id - b.id)) visit(earlier);
    order.push(group);
  };
  for (const group of groups) visit(group);
  return order;
}
