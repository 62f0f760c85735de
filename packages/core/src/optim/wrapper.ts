/** What goes round an optimizer of any rule: its options, checked, and the rule it makes of the one inside. */
import { ArgumentError } from "../graph/errors.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Rule } from "./rule.ts";

/** Rule of an optimizer → rule of the wrapped one. */
export type RuleTransform<Settings extends object> = <Options extends object>(
  rule: Rule<string, Options>,
  settings: Readonly<Settings>,
) => Rule<string, Options>;

interface WrapperDefinition<Settings extends object> {
  readonly name: string;
  readonly defaults: Readonly<Settings>;
  /** Throws ArgumentError on settings outside their ranges. */
  check(settings: Readonly<Settings>): void;
  readonly transform: RuleTransform<Settings>;
}

/** Puts itself round an optimizer that has made no update yet, and gives the new optimizer to use in its place. */
export type Wrapper<Settings extends object> = <Options extends object>(
  optimizer: Optimizer<Options>,
  settings?: { readonly [Key in keyof Settings]?: Settings[Key] | undefined },
) => Optimizer<Options>;

export function wrapper<Settings extends object>({
  name,
  defaults,
  check,
  transform,
}: WrapperDefinition<Settings>): Wrapper<Settings> {
  return (optimizer, given = {}) => {
    for (const key of Object.keys(given)) {
      if (Object.hasOwn(defaults, key)) continue;
      throw new ArgumentError(name, `unknown option ${key}; expected one of ${Object.keys(defaults).join(", ")}`);
    }
    const chosen = Object.entries(given).filter(([, value]) => value !== undefined);
    const settings = Object.freeze({ ...defaults, ...Object.fromEntries(chosen) }) as Readonly<Settings>;
    check(settings);
    return optimizer.withRule((rule) => {
      // State and scalars go by name, so those of a second one would be those of the first.
      if (rule.name.split(/[()]/).includes(name))
        throw new ArgumentError(name, `${rule.name} is wrapped in it already`);
      return { ...transform(rule, settings), name: `${name}(${rule.name})` };
    });
  };
}
