/** The backends that can be broken. They are found by name, as the suite must not depend on any. */
import { referenceBackend } from "@thalweg/core/backend";
import type { BackendFactory } from "../src/case.ts";

const packages: Readonly<Record<string, { readonly module: string; readonly factory: string }>> = {
  "cpu-js": { module: "@thalweg/cpu-js", factory: "cpu" },
};

export const backendNames: readonly string[] = [...Object.keys(packages), "reference", "reference-loops"];

export async function backendFactory(name: string): Promise<BackendFactory> {
  if (name === "reference") return () => referenceBackend();
  if (name === "reference-loops") return () => referenceBackend({ kernels: ["loop"] });
  const found = packages[name];
  if (!found) throw new Error(`there is no backend ${name}; expected one of ${backendNames.join(", ")}`);
  const exports = (await import(found.module)) as Readonly<Record<string, BackendFactory | undefined>>;
  const factory = exports[found.factory];
  if (!factory) throw new Error(`${found.module} exports no ${found.factory}`);
  return factory;
}
