/** Graphs as programs that can be pasted into a file and run. */
import type { DType } from "@thalweg/core";
import * as t from "@thalweg/core";
import type { Code } from "./build.ts";

/** A number as JavaScript writes it. */
export const numberCode = (x: number): string => (Object.is(x, -0) ? "-0" : String(x));

export const literal = (values: ArrayLike<number>): string => `[${Array.from(values, numberCode).join(", ")}]`;

/** A call that makes a tensor. */
export const tensorCode = (values: ArrayLike<number>, shape: readonly number[], dtype: DType): string =>
  // A list would be taken for nested ones.
  `tensor(Float64Array.of(${literal(values).slice(1, -1)}), { shape: [${shape.join(", ")}], dtype: "${dtype}" })`;

/** Elements shown of an expected result. */
const shownElements = 64;

function expectedComment(values: ArrayLike<number>): string {
  const shown = literal(Array.from(values).slice(0, shownElements));
  return values.length > shownElements ? `${shown.slice(0, -1)}, … ${values.length} in all]` : shown;
}

const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

/** A whole program: whatever its lines call of @thalweg/core is imported, and a backend chosen. */
function programOf(lines: readonly string[]): string {
  const text = lines.join("\n");
  const used = Object.keys(t).filter((name) => new RegExp(`(?<![.\\w])${name}\\(`).test(text));
  return [
    `import { ${[...used, "useBackend"].sort().join(", ")} } from "@thalweg/core";`,
    `import { referenceBackend } from "@thalweg/core/backend";`,
    "",
    "// Put the backend that fails in its place.",
    "useBackend(referenceBackend());",
    ...lines,
  ].join("\n");
}

const seeded = (code: Code): string[] =>
  code.body.some((line) => /(?<!\w)(rand|randn|bernoulli)\(/.test(line)) ? ["manualSeed(7);"] : [];

/** The graph compiled and run once, each result beside what is expected of it. */
export function graphProgram(code: Code, expected: readonly ArrayLike<number>[]): string {
  const { leaves, values, body, results } = code;
  return programOf([
    ...leaves.map((name, i) => `const ${name} = ${values[i]};`),
    ...seeded(code),
    `const graph = compile((${leaves.join(", ")}) => {`,
    ...indent([...body, `return [${results.join(", ")}];`]),
    "});",
    `const results = graph(${leaves.join(", ")});`,
    ...expected.flatMap((value, i) => [
      `console.log(Array.from(await results[${i}].data()));`,
      `// expected ${expectedComment(value)}`,
    ]),
  ]);
}

/** The graph as a compiled step that updates its leaves, run several times; `expected`: results, then leaves, per run. */
export function updatesProgram(code: Code, expected: readonly (readonly ArrayLike<number>[])[]): string {
  const { leaves, values, body, results } = code;
  return programOf([
    ...leaves.map((name, i) => `const ${name} = new Parameter(${values[i]}, { name: "${name}" });`),
    ...seeded(code),
    "const step = compile(() => {",
    ...indent([...body, `return [${results.join(", ")}];`]),
    "});",
    ...expected.flatMap((run, replay) => [
      `const run${replay} = step();`,
      ...run.flatMap((value, i) => {
        const printed = i < results.length ? `run${replay}[${i}]` : (leaves[i - results.length] as string);
        return [`console.log(Array.from(await ${printed}.data()));`, `// expected ${expectedComment(value)}`];
      }),
    ]),
  ]);
}
