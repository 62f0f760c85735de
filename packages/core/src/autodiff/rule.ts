/** What a derivative rule is. */
import type { Node, NodeOf, OpName } from "../graph/node.ts";

/**
 * The vector-Jacobian product of one primitive: given a node and the gradient of the loss by it (same shape and dtype),
 * the gradient by each input, with that input's shape and dtype, where `needed`. An undefined entry is an input that no
 * derivative passes to. A rule builds ordinary graph, so it can itself be differentiated.
 */
export type Rule<K extends OpName> = (
  node: NodeOf<K>,
  gradient: Node,
  needed: readonly boolean[],
) => readonly (Node | undefined)[];

/** `none`: no derivative passes, and what depends on its inputs only through it counts as independent of them. */
export type Rules<K extends OpName> = { readonly [P in K]: Rule<P> | "none" };
