/** Every primitive's derivative. */
import type { OpName } from "../../graph/node.ts";
import type { Rules } from "../rule.ts";
import { contractionRules } from "./contraction.ts";
import { elementwiseRules } from "./elementwise.ts";
import { indexedRules } from "./indexed.ts";
import { reduceRules } from "./reduce.ts";
import { viewRules } from "./view.ts";

export const rules = {
  constant: "none",
  uniform: "none",
  data: "none",
  parameter: "none",
  placeholder: "none",
  iota: "none",
  random: "none",
  ...elementwiseRules,
  ...reduceRules,
  ...viewRules,
  ...contractionRules,
  ...indexedRules,
} as const satisfies Rules<OpName>;
