/** Conformance, and the same under compute-sanitizer. */
import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";
import type { Report } from "@thalweg/conformance";
import { runToEnd } from "./command.ts";

/** What the command prints with `--json`. */
export type ConformanceReport = Report & { readonly duration: number };

/** What came of a run of the suite: its report, or why there is none. */
export type ConformanceOutcome = { readonly report: ConformanceReport } | { readonly problem: string };

const minutes = 30;

export async function runConformance(
  cli: string,
  backend: string,
  { cases, golden }: { readonly cases?: string | undefined; readonly golden?: string | undefined },
): Promise<ConformanceOutcome> {
  const args = [cli, "conformance", "--backend", backend, "--json"];
  if (cases !== undefined) args.push("--only", cases);
  if (golden !== undefined) args.push("--golden", golden);
  const { stdout, output } = await runToEnd(process.execPath, args, minutes);
  try {
    return { report: JSON.parse(stdout) as ConformanceReport };
  } catch {
    return { problem: output.trim().slice(-2000) || "it printed nothing" };
  }
}

/** Cases whose kernels are all different and small: a tool that watches every access slows them a hundredfold. */
const watchedCases = "kernels/*";
const tools = ["memcheck", "racecheck"] as const;
const foundErrors = 9;

export interface SanitizerOutcome {
  readonly tool: string;
  readonly verdict: "clean" | "errors" | "not run";
  /** The end of what it said. */
  readonly said: string;
}

function findSanitizer(): string | undefined {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/local/cuda/bin"];
  return folders.map((folder) => join(folder, "compute-sanitizer")).find((path) => existsSync(path));
}

export async function runSanitizer(cli: string, backend: string): Promise<readonly SanitizerOutcome[]> {
  const sanitizer = findSanitizer();
  const outcomes: SanitizerOutcome[] = [];
  for (const tool of tools) {
    if (sanitizer === undefined) {
      outcomes.push({ tool, verdict: "not run", said: "compute-sanitizer was not found" });
      continue;
    }
    const watch = ["--tool", tool, "--error-exitcode", String(foundErrors), "--target-processes", "all"];
    const watched = [process.execPath, cli, "conformance", "--backend", backend, "--only", watchedCases];
    const { code, output } = await runToEnd(sanitizer, [...watch, ...watched], minutes);
    outcomes.push({ tool, verdict: verdictOf(code), said: output.trim().slice(-1000) });
  }
  return outcomes;
}

/** A run that was stopped, or whose cases failed, has shown nothing about the accesses that it did not come to. */
const verdictOf = (code: number | undefined): SanitizerOutcome["verdict"] =>
  code === 0 ? "clean" : code === foundErrors ? "errors" : "not run";
