/** How each runner is drawn in every chart of a report: a colour and a shape, either of which tells it apart alone. */
import type { BenchReport } from "../benchReport.ts";

export interface RunnerLook {
  readonly runner: string;
  /** A custom property of style.ts, which differs between light and dark. */
  readonly colour: string;
  readonly symbol: "circle" | "square" | "triangle" | "diamond" | "star" | "cross" | "wye";
}

const symbols = ["circle", "square", "triangle", "diamond", "star", "cross", "wye"] as const;

/**
 * Colours that people of every kind of colour vision tell apart, after Okabe and Ito; darkened where they had too little
 * contrast on white, and lightened on black.
 */
export const palette: readonly { readonly light: string; readonly dark: string }[] = [
  { light: "#0067a5", dark: "#5cb3f0" },
  { light: "#c94f00", dark: "#ff8f4a" },
  { light: "#008563", dark: "#2fc79c" },
  { light: "#a8457f", dark: "#e894c4" },
  { light: "#8a6a00", dark: "#e5b93c" },
  { light: "#3a3f44", dark: "#c9ced3" },
];

/** Of every runner the report names, in its order; should there be more than shapes and colours, pairs of them differ still. */
export function runnerLooks(report: BenchReport): readonly RunnerLook[] {
  const names = new Set([
    ...report.runners.map(({ name }) => name),
    ...report.results.map(({ runner }) => runner),
    ...report.ratios.flatMap(({ runner, peer }) => [runner, peer]),
  ]);
  return [...names].map((runner, i) => ({
    runner,
    colour: `var(--runner-${i % palette.length})`,
    symbol: symbols[i % symbols.length] ?? "circle",
  }));
}
