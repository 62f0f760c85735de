/** How each view operation maps an element of its result to an element of its input. */
import type { Node, NodeOf } from "../graph/node.ts";
import { sizeOf } from "../graph/shape.ts";
import { type Bound, type Coordinate, rangeOf, type VariableTable, zero } from "./coordinates.ts";

export type ViewNode =
  | NodeOf<"reshape">
  | NodeOf<"permute">
  | NodeOf<"expand">
  | NodeOf<"slice">
  | NodeOf<"pad">
  | NodeOf<"shear">;

const viewOps: ReadonlySet<string> = new Set(["reshape", "permute", "expand", "slice", "pad", "shear"]);
export const isView = (node: Node): node is ViewNode => viewOps.has(node.op);

export interface Mapped {
  readonly coordinates: readonly Coordinate[];
  /** Where any of these fails the element is `fill` and the input is not read. */
  readonly bounds: readonly Bound[];
  readonly fill: number;
  /** No element is inside: the result is `fill` everywhere. */
  readonly outside?: boolean;
}

/** undefined: not expressible (a reshape that cuts through an irregular access); the input must be stored first. */
export function mapView(table: VariableTable, node: ViewNode, at: readonly Coordinate[]): Mapped | undefined {
  const input = node.inputs[0] as Node;
  switch (node.op) {
    case "reshape": {
      const coordinates = table.reshape(node.shape, input.shape, at);
      return coordinates && { coordinates, bounds: [], fill: 0 };
    }
    case "permute": {
      const coordinates = new Array<Coordinate>(at.length);
      for (const [i, axis] of node.attributes.axes.entries()) coordinates[axis] = at[i] as Coordinate;
      return { coordinates, bounds: [], fill: 0 };
    }
    case "expand":
      return { coordinates: at.map((c, i) => (input.shape[i] === 1 ? zero : c)), bounds: [], fill: 0 };
    case "slice": {
      const { start, step } = node.attributes;
      const coordinates = at.map((c, i) => table.scaled(c, step[i] as number, start[i] as number));
      return { coordinates, bounds: [], fill: 0 };
    }
    case "pad": {
      const { before, value } = node.attributes;
      const coordinates = at.map((c, i) => table.scaled(c, 1, -(before[i] as number)));
      return inside(input, coordinates, value);
    }
    case "shear": {
      const { axis, along, stride, dilation, offset } = node.attributes;
      const coordinates = [...at];
      coordinates[axis] = table.sum(
        [
          { coordinate: at[axis] as Coordinate, scale: stride },
          { coordinate: at[along] as Coordinate, scale: dilation },
        ],
        offset,
      );
      return inside(input, coordinates, 0);
    }
    default:
      return node satisfies never;
  }
}

function inside(input: Node, coordinates: readonly Coordinate[], fill: number): Mapped {
  const bounds: Bound[] = [];
  if (sizeOf(input.shape) === 0) return { coordinates, bounds, fill, outside: true };
  for (const [i, coordinate] of coordinates.entries()) {
    const hi = input.shape[i] as number;
    const { min, max } = rangeOf(coordinate);
    if (max < 0 || min >= hi) return { coordinates, bounds, fill, outside: true };
    if (min < 0 || max >= hi) bounds.push({ coordinate, lo: 0, hi });
  }
  return { coordinates, bounds, fill };
}
