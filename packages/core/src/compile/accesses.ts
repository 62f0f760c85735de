/** What memory an expression touches: every stored element that a unit's value at some point depends on. */
import type { Node } from "../graph/node.ts";
import { areNested, type Coordinate, type Cuts, sameCoordinates, type VariableTable } from "./coordinates.ts";
import { isView, mapView } from "./views.ts";

/** An element of memory, as a linear position. */
export interface Access {
  readonly node: Node;
  readonly position: Coordinate;
}

export interface Accesses {
  readonly accesses: readonly Access[];
  /** Coordinates that the value itself depends on, by counting or by a mask. */
  readonly indices: readonly Coordinate[];
  /** Nodes that must be stored before this can be computed. */
  readonly blocked: readonly Node[];
  /** Of loops, by reshapes passed. */
  readonly cuts: Cuts;
}

/** `at` is in the unit's input for a reduction, in the unit itself otherwise. */
export function accessesOf(
  isStored: (node: Node) => boolean,
  table: VariableTable,
  unit: Node,
  at: readonly Coordinate[],
): Accesses {
  const walk = new Walk(isStored, table, at);
  walk.inputsOf(unit, at);
  return walk;
}

class Walk implements Accesses {
  readonly accesses: Access[] = [];
  readonly indices: Coordinate[] = [];
  readonly blocked: Node[] = [];
  cuts: Cuts = new Map();
  readonly #isStored: (node: Node) => boolean;
  readonly #table: VariableTable;
  /** Where each node has been visited: element-wise neighbours share one list of coordinates. */
  readonly #seen = new Map<Node, (readonly Coordinate[])[]>();

  constructor(isStored: (node: Node) => boolean, table: VariableTable, at: readonly Coordinate[]) {
    this.#isStored = isStored;
    this.#table = table;
    for (const coordinate of at) table.cuts(coordinate, this.cuts);
  }

  #visit(node: Node, here: readonly Coordinate[]): void {
    const seen = this.#seen.get(node);
    if (!seen) this.#seen.set(node, [here]);
    else if (seen.some((before) => sameCoordinates(before, here))) return;
    else seen.push(here);
    if (this.#isStored(node)) this.accesses.push({ node, position: this.#table.linear(node.shape, here) });
    else this.inputsOf(node, here);
  }

  inputsOf(node: Node, here: readonly Coordinate[]): void {
    if (isView(node)) {
      const input = node.inputs[0] as Node;
      if (node.op === "reshape" && this.#isStored(input)) {
        this.accesses.push({ node: input, position: this.#table.linear(node.shape, here) });
        return;
      }
      const mapped = mapView(this.#table, node, here);
      for (const { coordinate } of mapped?.bounds ?? []) this.indices.push(coordinate);
      if (!mapped || (node.op === "reshape" && !this.#cut(mapped.coordinates))) this.blocked.push(input);
      else if (!mapped.outside) this.#visit(input, mapped.coordinates);
    } else if (node.op === "gather") {
      const [x, index] = node.inputs as [Node, Node];
      this.#visit(index, here);
      const { axis } = node.attributes;
      const variable = this.#table.dynamic(index, here, x.shape[axis] as number);
      this.#visit(
        x,
        here.map((c, i) => (i === axis ? { offset: 0, terms: [{ variable, coefficient: 1 }] } : c)),
      );
    } else if (node.op === "iota") {
      for (const coordinate of here) this.indices.push(coordinate);
    } else if (node.op === "random") {
      for (const coordinate of here) this.indices.push(coordinate);
      for (const input of node.inputs) this.#visit(input, []);
    } else {
      for (const input of node.inputs) this.#visit(input, here);
    }
  }

  /** Takes the cuts of further coordinates in, unless they are at odds with those so far. */
  #cut(coordinates: readonly Coordinate[]): boolean {
    if (!coordinates.some(({ terms }) => terms.some(({ variable }) => variable.part))) return true;
    const more: Cuts = new Map([...this.cuts].map(([variable, strides]) => [variable, new Set(strides)]));
    for (const coordinate of coordinates) this.#table.cuts(coordinate, more);
    if (!areNested(more)) return false;
    this.cuts = more;
    return true;
  }
}
