/** The Chromium of this machine. None is downloaded. */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

/** Names on the path, Debian's first. */
const names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"] as const;

/** The executable that CHROMIUM_PATH names, else one of the path; undefined where there is none. */
export function findChromium(): string | undefined {
  const { CHROMIUM_PATH: named, PATH: path = "" } = process.env;
  if (named) return named;
  const folders = ["/usr/bin", ...path.split(delimiter)];
  return names.flatMap((name) => folders.map((folder) => join(folder, name))).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export const noChromium = "no Chromium was found: name one in CHROMIUM_PATH";

/** Starts it without a window and without anything that looks for a network. */
export function launchChromium(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // Cases of memory call the collector.
      "--js-flags=--expose-gc",
    ],
  });
}
