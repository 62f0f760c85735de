/**
 * What a graph looks like apart from the memory it reads and the scalars it is given: graphs of one structure share one
 * Program.
 */

import type { Assignment } from "../compile/assignments.ts";
import { attributesKey } from "../graph/attributes.ts";
import type { LeafSource, Node } from "../graph/node.ts";
import { topologicalOrder } from "../graph/node.ts";

export interface Structure {
  readonly key: string;
  /** Distinct memory sources of data and parameter leaves, in order of first use. */
  readonly sources: readonly LeafSource[];
  readonly uniforms: readonly Node[];
}

export function structureOf(outputs: readonly Node[], assignments: readonly Assignment[]): Structure {
  const order = topologicalOrder([...outputs, ...assignments.map((a) => a.value)]);
  const ordinal = new Map<Node, number>();
  const sources = new Map<LeafSource, number>();
  const uniforms: Node[] = [];
  const sourceIndex = (source: LeafSource): number => {
    let index = sources.get(source);
    if (index === undefined) {
      index = sources.size;
      sources.set(source, index);
    }
    return index;
  };
  const lines: string[] = [];
  for (const [i, node] of order.entries()) {
    ordinal.set(node, i);
    let ordinals = "";
    for (const input of node.inputs) ordinals += `${ordinal.get(input)},`;
    const inMemory = node.op === "data" || node.op === "parameter";
    const attributes = inMemory ? `s${sourceIndex(node.attributes.source)}` : attributesKey(node);
    lines.push(`${node.op}(${ordinals})${attributes}${node.dtype}${node.shape.join()}`);
    if (node.op === "uniform") uniforms.push(node);
  }
  lines.push(outputs.map((n) => ordinal.get(n)).join());
  for (const { target, value } of assignments) lines.push(`${sourceIndex(target)}=${ordinal.get(value)}`);
  return { key: lines.join("\n"), sources: [...sources.keys()], uniforms };
}
