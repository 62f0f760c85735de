/** Pages about optimizers and wrappers, and their index. */
import type { AnyNamedOptimizer, Convention } from "@thalweg/core/optim";
import { type Costs, costsText } from "./costs.ts";
import { hasFormula, markdownOf, withoutTags } from "./docstring.ts";
import type { ExportDoc, OptionDoc } from "./sources.ts";

export interface Subject {
  readonly name: string;
  readonly doc: ExportDoc;
  /** By convention; undefined of what is made of no rule, such as wrappers. */
  readonly rules: AnyNamedOptimizer["rules"] | undefined;
  readonly costs: Readonly<Record<string, Costs | undefined>>;
}

const libraries: Readonly<Record<string, string>> = {
  torch: "As in PyTorch.",
  keras: "As in Keras.",
  optax: "As in Optax.",
  original: "As the authors have it.",
};

/** As one would write it: `[0.9, 0.999]`, `1e-8`. */
export function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(valueText).join(", ")}]`;
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-3) {
    return value.toExponential().replace("e+", "e");
  }
  return String(value);
}

const escaped = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** The default's name among conventions: the first there is. */
const firstOf = (doc: ExportDoc): string => Object.keys(doc.meanings)[0] ?? "torch";

function defaultsOf({ doc, rules }: Subject, convention: string): ReadonlyMap<string, string> {
  const rule = rules?.[convention as Convention];
  if (!rule) return new Map(Object.entries(doc.defaults));
  return new Map(Object.entries(rule.defaults).map(([name, value]) => [name, valueText(value)]));
}

function optionsTable(subject: Subject, convention: string): string {
  const { doc, rules } = subject;
  const defaults = defaultsOf(subject, convention);
  const options = doc.meanings[convention]?.options ?? [];
  const rule = rules?.[convention as Convention];
  const lr = rule
    ? [
        `| \`lr\` | ${rule.lr === undefined ? "required" : valueText(rule.lr)} | Learning rate: a number or a schedule. |`,
      ]
    : [];
  const rows = options.map(
    ({ name, text }: OptionDoc) => `| \`${name}\` | ${escaped(defaults.get(name) ?? "")} | ${escaped(text)} |`,
  );
  if (lr.length + rows.length === 0) return "None.";
  return ["| option | default | meaning |", "| --- | --- | --- |", ...lr, ...rows].join("\n");
}

/** What a page cannot be written without, in words; empty where all is there. */
export function shortcomings({ name, doc, rules }: Subject): string[] {
  const found: string[] = [];
  const say = (what: string): number => found.push(`${name} (${doc.file}): ${what}`);
  if (withoutTags(doc.text).length < 80) say("its docstring does not say what it is and when to use it");
  const source = `${doc.header}\n${doc.text}`;
  // What goes round an optimizer may be nobody's invention.
  if (rules && !/https?:\/\/|\b(19|20)\d\d\b|torch\.optim|PyTorch/.test(source)) {
    say("no source: neither the file's header nor its docstring names a paper or has a link");
  }
  for (const [convention, { formula, options }] of Object.entries(doc.meanings)) {
    if (!hasFormula(formula)) say(`convention ${convention}: no formula (an indented block) in the rule's docstring`);
    for (const { name: option, text } of options) {
      if (text === "") say(`convention ${convention}: option ${option} is not documented`);
      else if (!/default/i.test(text)) say(`convention ${convention}: the text of option ${option} names no default`);
    }
    const rule = rules?.[convention as Convention];
    const documented = new Set(options.map((option) => option.name));
    for (const option of Object.keys(rule?.defaults ?? doc.defaults)) {
      if (!documented.has(option)) say(`convention ${convention}: option ${option} is missing from its interface`);
    }
  }
  return found;
}

function meaning(subject: Subject, convention: string, level: string): string {
  const { doc, costs } = subject;
  const cost = costs[convention];
  return [
    `${level} Formula`,
    markdownOf(doc.meanings[convention]?.formula ?? ""),
    `${level} Options`,
    optionsTable(subject, convention),
    ...(cost ? [`${level} Costs`, costsText(cost)] : []),
  ].join("\n\n");
}

export const generatedMark = (file: string): string => `<!-- Written by \`npm run docs\` from ${file}: edit that. -->`;

/** One page. */
export function page(subject: Subject): string {
  const { name, doc, rules } = subject;
  const [first, ...others] = [firstOf(doc), ...Object.keys(doc.meanings).slice(1)];
  const isOptimizer = rules !== undefined;
  const parts = [
    generatedMark(doc.file),
    `# ${name}`,
    // Without rules, the docstring holds the formula.
    markdownOf(doc.text),
    ...(isOptimizer
      ? [meaning(subject, first as string, "##")]
      : ["## Options", optionsTable(subject, first as string), ...costsSection(subject, first as string)]),
    ...others.flatMap((convention) => [
      `## \`convention: "${convention}"\``,
      ...(libraries[convention] ? [libraries[convention]] : []),
      meaning(subject, convention, "###"),
    ]),
    "## Source",
    markdownOf(doc.header || doc.text),
    `Code: [${doc.file}](../../${doc.file}).`,
  ];
  return `${parts.join("\n\n")}\n`;
}

const costsSection = ({ costs }: Subject, convention: string): string[] => {
  const cost = costs[convention];
  return cost ? ["## Costs", costsText(cost)] : [];
};

/** The first sentence of a docstring. */
export function firstSentence(text: string): string {
  const [paragraph = ""] = markdownOf(text).split("\n\n");
  const end = paragraph.search(/[.:;](\s|$)/);
  if (end < 0) return `${paragraph} …`;
  const sentence = paragraph.slice(0, end);
  return sentence.endsWith(".") ? sentence : `${sentence}.`;
}

/** The list of all pages. */
export function indexPage(optimizers: readonly Subject[], wrappers: readonly Subject[]): string {
  const row = ({ name, doc, rules, costs }: Subject): string => {
    const first = firstOf(doc);
    const cost = costs[first];
    const state = cost ? cost.matrix.join(", ") || "none" : "";
    const conventions = rules ? Object.keys(rules).join(", ") : "";
    return `| [${name}](${name}.md) | ${escaped(firstSentence(doc.text))} | ${conventions} | ${state} | ${cost?.kernels ?? ""} |`;
  };
  const table = (subjects: readonly Subject[]): string =>
    [
      "| name | what it is | conventions | state of an m × n matrix | kernels |",
      "| --- | --- | --- | --- | ---: |",
      ...subjects.map(row),
    ].join("\n");
  return `${[
    generatedMark("the docstrings of packages/core/src/optim"),
    "# Optimizers",
    "Kernels: of one update of two matrices and two vectors. `npx thalweg optimizers` prints bytes and times.",
    table(optimizers),
    "# Wrappers",
    "What goes round any optimizer: `lookahead(adamW(parameters))`. State and kernels with adamW inside.",
    table(wrappers),
  ].join("\n\n")}\n`;
}
