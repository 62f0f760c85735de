/** Which parameter updates can be written over the old value by the kernel that computes them. */
import type { LeafSource, Node } from "../graph/node.ts";
import { sameCoordinate } from "./coordinates.ts";
import { hasInner } from "./domain.ts";
import { mayFail } from "./failing.ts";
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
  const { groups, partition, groupOf, graph } = fusion;
  const readers = new Map<LeafSource, Set<Group>>();
  for (const group of groups) {
    for (const member of group.members) {
      for (const read of partition.reads(member)) {
        const source = sourceOf(read);
        if (source) readers.set(source, (readers.get(source) ?? new Set()).add(group));
      }
    }
  }
  // A kernel that stops half-way must not have written a parameter, nor may one before it.
  const units = mayFail(partition);
  const failing = groups.filter((group) => group.members.some((member) => units.has(member)));
  const conflicts: Assignment[] = [];
  for (const assignment of assignments) {
    const group = groupOf.get(assignment.value) as Group;
    const others = [...(readers.get(assignment.target) ?? [])].filter((reader) => reader !== group);
    if (
      others.some((reader) => graph.dependsOn(reader, group)) ||
      failing.some((other) => graph.dependsOn(other, group)) ||
      !safeWithin(fusion, group, assignment)
    ) {
      conflicts.push(assignment);
      continue;
    }
    graph.link(group, others);
  }
  // Updates come last where nothing needs them earlier, and nothing that may fail does.
  const updating = new Set(assignments.map(({ value }) => groupOf.get(value)));
  const lastly = [...groups.filter((g) => !updating.has(g)), ...groups.filter((g) => updating.has(g))];
  return { order: graph.schedule(lastly), conflicts };
}

/** Inside its own kernel the old value is only read at the very element being written, before the write. */
function safeWithin({ partition }: Fusion, group: Group, { target, value }: Assignment): boolean {
  const readsTarget = (node: Node): boolean => {
    for (const read of partition.reads(node)) if (sourceOf(read) === target) return true;
    return false;
  };
  if (!group.members.some(readsTarget)) return true;
  if (group.kind === "indexed" || value === group.opaque || (group.opaque && readsTarget(group.opaque))) return false;
  const { spaces } = partition;
  const own = spaces.frame(group.domain).place(value);
  if (!own || (hasInner(group.domain) && own.level === "reduce")) return false;
  for (const member of group.members) {
    if (!readsTarget(member)) continue;
    const placed = spaces.place(group.domain, member);
    if (!placed) continue;
    if (hasInner(group.domain) && (member !== value || own.level === "full")) return false;
    for (const { node, position } of placed.accesses) {
      if (sourceOf(node) === target && !sameCoordinate(position, own.position)) return false;
    }
  }
  return true;
}
