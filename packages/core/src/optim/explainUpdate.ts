/** The update of an optimizer as text. */
import { formatBytes, printProgram } from "../backend/print.ts";
import { bytesPerElement } from "../graph/dtype.ts";
import { formatShape } from "../graph/shape.ts";
import { zeros } from "../tensor/creation.ts";
import { add, mul } from "../tensor/elementwise.ts";
import { sum } from "../tensor/reduce.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { compile } from "../trace/compile.ts";
import type { GradientTransform } from "./gradientTransform.ts";
import type { Entry, ParameterGroup } from "./groups.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Rule } from "./rule.ts";
import { arithmetic, type Updated } from "./updates.ts";

export interface ExplainUpdateOptions {
  /** Every scalar instruction of each kernel, not only a line for it. Default false. */
  readonly full?: boolean | undefined;
}

const count = (n: number, what: string): string => `${n} ${what}${n === 1 ? "" : "s"}`;

const show = (value: unknown): string => {
  if (typeof value === "function") return "schedule" in value ? String(value.schedule) : "a schedule";
  return Array.isArray(value) ? `[${value.map(show).join(", ")}]` : String(value);
};

const sizeInBytes = ({ dtype, size }: Tensor): number => size * bytesPerElement(dtype);

function parameterLine<Options extends object>(
  rule: Rule<string, Options>,
  group: ParameterGroup<Options>,
  { name, parameter, updates, state }: Entry,
): string {
  // Lazy tensors, of which only names and sizes are asked.
  const kept = Object.entries(state ?? rule.initialState(parameter, group.fixedOptions, name)).flatMap(
    ([key, value]): [string, Tensor][] => (value ? [[key, value]] : []),
  );
  const bytes = kept.reduce((total, [, value]) => total + sizeInBytes(value), 0);
  const states =
    kept.length === 0 ? "no state" : `state ${kept.map(([key]) => key).join(", ")} (${formatBytes(bytes)})`;
  return `  ${name}: ${parameter.dtype} ${formatShape(parameter.shape)}, ${count(updates, "update")}, ${states}`;
}

function groupLines<Options extends object>(rule: Rule<string, Options>, group: ParameterGroup<Options>): string[] {
  const rate = typeof group.learningRate === "number" ? "" : ` (${show(group.learningRate)})`;
  const options = Object.entries(group.options).map(([key, value]) => `${key} ${show(value)}`);
  const settings = [`lr ${group.lr}${rate}`, ...options, ...(group.maximize ? ["maximize"] : [])];
  return [
    `group ${group.name}: ${settings.join(", ")}`,
    ...group.entries.map((entry) => parameterLine(rule, group, entry)),
  ];
}

/** What an update with these gradients does: through a loss that has them, for rules that look at the loss twice. */
function updateWith<Options extends object>(
  optimizer: Optimizer<Options>,
  { rule }: Updated<Options>,
  gradients: readonly Tensor[],
): void {
  if (rule.perturb) {
    const terms = optimizer.parameters.map((parameter, i) => sum(mul(parameter, gradients[i] as Tensor)));
    optimizer.minimize(terms.reduce(add));
  } else {
    optimizer.update(gradients);
  }
}

/** The Program of one update with every gradient as an argument. State that is made for it goes again. */
function updateProgram<Options extends object>(optimizer: Optimizer<Options>, updated: Updated<Options>) {
  const entries = updated.groups.flatMap((group) => group.entries);
  const before = entries.map(({ state, stateOptions }) => ({ state, stateOptions }));
  const { shared } = updated;
  const update = compile((...gradients: Tensor[]): void => updateWith(optimizer, updated, gradients));
  const inputs = entries.map(({ parameter }) => zeros(parameter.shape, { dtype: arithmetic(parameter) }));
  try {
    return update.program(...inputs);
  } finally {
    for (const [i, entry] of entries.entries()) {
      const kept = before[i]?.state ?? {};
      for (const [key, state] of Object.entries(entry.state ?? {})) if (kept[key] !== state) state.dispose();
      entry.state = before[i]?.state;
      entry.stateOptions = before[i]?.stateOptions;
    }
    if (updated.shared !== shared) for (const state of Object.values(updated.shared ?? {})) state.dispose();
    updated.shared = shared;
  }
}

/** What `Optimizer.explain` gives. */
export function explainUpdate<Options extends object>(
  optimizer: Optimizer<Options>,
  updated: Updated<Options>,
  transforms: readonly GradientTransform[],
  { full = false }: ExplainUpdateOptions,
): string {
  const { rule, groups } = updated;
  const { parameters } = optimizer;
  const elements = parameters.reduce((total, { size }) => total + size, 0);
  const convention = rule.convention === undefined || rule.convention === "torch" ? "" : ` (${rule.convention})`;
  const lines = [
    `${rule.name}${convention}: ${count(parameters.length, "parameter")} in ${count(groups.length, "group")}, ` +
      `${count(elements, "element")}; ${count(optimizer.step, "update")} so far`,
    ...transforms.map(
      ({ description, name }, i) => `transform ${i}: ${description ?? (name || "a function without name")}`,
    ),
    ...groups.flatMap((group) => groupLines(rule, group)),
    "one update, gradients given:",
  ];
  return `${lines.join("\n")}\n${printProgram(updateProgram(optimizer, updated), { brief: !full })}`;
}
