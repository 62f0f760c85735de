/** The hand-written CUDA sources that every generated text includes, read from the package's `device` folder. */
import { readdirSync, readFileSync } from "node:fs";

export const deviceFolder = new URL("../device/", import.meta.url);

let headers: Readonly<Record<string, string>> | undefined;

/** Text by the name it is included as: `thalweg.cuh`. */
export function deviceHeaders(): Readonly<Record<string, string>> {
  headers ??= Object.fromEntries(
    readdirSync(deviceFolder)
      .filter((name) => name.endsWith(".cuh"))
      .sort()
      .map((name) => [name, readFileSync(new URL(name, deviceFolder), "utf8")]),
  );
  return headers;
}
