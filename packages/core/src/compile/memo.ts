/** Values a kernel has computed already: of a node, at some coordinates, where some bounds hold. */
import type { Value } from "../backend/program.ts";
import type { Node } from "../graph/node.ts";
import { type Bound, type Coordinate, sameCoordinate, sameCoordinates } from "./coordinates.ts";

interface Known {
  readonly at: readonly Coordinate[];
  readonly bounds: readonly Bound[];
  readonly value: Value;
}

export class Memo {
  /** A node is computed at few places of one kernel. */
  readonly #known = new Map<Node, Known[]>();

  get(node: Node, at: readonly Coordinate[], bounds: readonly Bound[]): Value | undefined {
    const known = this.#known.get(node);
    if (!known) return undefined;
    for (const k of known) if (sameCoordinates(k.at, at) && sameBounds(k.bounds, bounds)) return k.value;
    return undefined;
  }

  set(node: Node, at: readonly Coordinate[], bounds: readonly Bound[], value: Value): void {
    const known = this.#known.get(node);
    if (known) known.push({ at, bounds, value });
    else this.#known.set(node, [{ at, bounds, value }]);
  }
}

const sameBounds = (a: readonly Bound[], b: readonly Bound[]): boolean =>
  a === b || (a.length === b.length && a.every((bound, i) => sameBound(bound, b[i] as Bound)));

const sameBound = (a: Bound, b: Bound): boolean =>
  a.lo === b.lo && a.hi === b.hi && sameCoordinate(a.coordinate, b.coordinate);
