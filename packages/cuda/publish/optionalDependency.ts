/**
 * Before @thalweg/cuda is published, the packages with its prebuilt addon become optional dependencies of it, at its own
 * version; afterwards they leave package.json again. Between releases they cannot stand there: that version of them is not
 * on the registry yet, and `npm ci` would fail.
 *
 *     node publish/optionalDependency.ts add|remove [path of package.json]
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { prebuiltPackages } from "./platforms.ts";

interface Manifest {
  readonly version: string;
  optionalDependencies?: Record<string, string>;
}

const isPrebuilt = (name: string): boolean => (prebuiltPackages as readonly string[]).includes(name);

/** The text of package.json with them, or without. */
export function withPrebuilt(text: string, add: boolean): string {
  const { optionalDependencies = {}, ...manifest } = JSON.parse(text) as Manifest;
  const others = Object.entries(optionalDependencies).filter(([name]) => !isPrebuilt(name));
  const own = add ? prebuiltPackages.map((name) => [name, manifest.version] as const) : [];
  const all = Object.fromEntries([...others, ...own]);
  const changed = Object.keys(all).length > 0 ? { ...manifest, optionalDependencies: all } : manifest;
  return `${JSON.stringify(changed, null, 2)}\n`;
}

function main([action, path = fileURLToPath(new URL("../package.json", import.meta.url))]: readonly string[]): void {
  if (action !== "add" && action !== "remove") throw new Error(`add or remove, got ${action}`);
  writeFileSync(path, withPrebuilt(readFileSync(path, "utf8"), action === "add"));
}

if (import.meta.main) main(process.argv.slice(2));
