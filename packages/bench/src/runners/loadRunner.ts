/** The runners in JavaScript by name; each is imported when it is asked for, so that a process holds one alone. */
import { type LoadOptions, type LoadRunner, type Runner, textOption } from "./session.ts";

const runners: Readonly<Record<string, () => Promise<LoadRunner>>> = {
  thalweg: async () => (await import("./thalweg/index.ts")).loadThalweg,
  tfjs: async () => (await import("./tfjs/index.ts")).loadTfjs,
  "jax-js": async () => (await import("./jaxJs/index.ts")).loadJaxJs,
};

/** Loads the runner that `load.options.runner` names. */
export async function loadRunner(load: LoadOptions): Promise<Runner> {
  const name = textOption(load.options, "runner");
  const runner = Object.hasOwn(runners, name) ? runners[name] : undefined;
  if (!runner) throw new Error(`unknown runner ${name}; there are ${Object.keys(runners).join(", ")}`);
  return (await runner())(load);
}
