/** Attributes of nodes as text: the same text for the same attributes, whichever objects they are in. */
import type { Node } from "./node.ts";

/** Tells -0, NaN and the infinities apart. For leaves in memory and uniforms, whose attributes are identities, empty. */
export function attributesKey(node: Node): string {
  switch (node.op) {
    case "data":
    case "parameter":
    case "uniform":
      return "";
    case "constant":
      return Object.is(node.attributes.value, -0) ? "-0" : String(node.attributes.value);
    default:
      // Most operations have none, and there are many nodes.
      return Object.keys(node.attributes).length === 0 ? "" : JSON.stringify(node.attributes, exact);
  }
}

/** JSON that tells -0, NaN and the infinities apart. */
export function exact(_key: string, value: unknown): unknown {
  if (typeof value !== "number") return value;
  if (Object.is(value, -0)) return "-0";
  return Number.isFinite(value) ? value : String(value);
}
