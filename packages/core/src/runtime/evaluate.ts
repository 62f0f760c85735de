import type { Node } from "../graph/node.ts";
import type { Storage } from "./storage.ts";
// Being written by the lead; these signatures are final.
export function realize(_node: Node): Storage { throw new Error("not yet"); }
export function realizeOwned(_node: Node): Storage { throw new Error("not yet"); }
export function assignAll(_pairs: readonly (readonly [Storage, Node])[]): void { throw new Error("not yet"); }
