/** Contexts as the rule inside a wrapper sees them, where that is not what the wrapper is given. */
import { ArgumentError } from "../graph/errors.ts";
import type { SharedGroup, UpdateContext } from "./rule.ts";

type Changes<Options extends object> = Partial<
  Pick<UpdateContext<string, Options>, "parameter" | "gradient" | "rows" | "scalar" | "decide">
>;

/** `context` with some of it changed. */
export const adapted = <Options extends object>(
  context: UpdateContext<string, Options>,
  changes: Changes<Options>,
): UpdateContext<string, Options> => ({
  ...context,
  ...changes,
  get lr() {
    return context.lr;
  },
});

/** The groups with their members changed, and perhaps how their scalars are made. */
export const adaptedGroups = <Options extends object>(
  groups: readonly SharedGroup<string, Options>[],
  changed: (member: UpdateContext<string, Options>) => Changes<Options>,
  scalarOf: (scalar: UpdateContext<string, Options>["scalar"]) => UpdateContext<string, Options>["scalar"] = (same) =>
    same,
): SharedGroup<string, Options>[] =>
  groups.map((group) => ({
    name: group.name,
    options: group.options,
    members: group.members.map((member) => adapted(member, changed(member))),
    scalar: scalarOf(group.scalar),
    get lr() {
      return group.lr;
    },
  }));

/** @throws ArgumentError for a rule that says already what to evaluate with: `wrapper` would say otherwise. */
export function checkWithoutAverage(
  wrapper: string,
  { name, evaluationValue }: { readonly name: string; readonly evaluationValue?: unknown },
): void {
  if (evaluationValue) throw new ArgumentError(wrapper, `${name} keeps an average of its own to evaluate with`);
}
