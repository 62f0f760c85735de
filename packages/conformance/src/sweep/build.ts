/** A recipe as tensors, and as the lines of a program that builds them. */
import { grad, isFloat, mul, reshape, sum, Tensor, tensor } from "@thalweg/core";
import { literal, tensorCode } from "./code.ts";
import { Draw, type MakeLeaf, maxElements, type Value } from "./draw.ts";
import { operations } from "./operations.ts";
import { type Leaf, leafValues, type Recipe } from "./recipe.ts";

/** A leaf's values as a tensor. */
export const makeLeaf = (leaf: Leaf): Tensor =>
  tensor(Float64Array.from(leafValues(leaf)), { shape: leaf.shape, dtype: leaf.dtype });

/** The graph as JavaScript. */
export interface Code {
  /** Names of the leaves. */
  readonly leaves: readonly string[];
  /** Values of the leaves, in the same order. */
  readonly values: readonly string[];
  /** Statements that make everything else of the leaves. */
  readonly body: readonly string[];
  /** Names of the results. */
  readonly results: readonly string[];
  /** Names of the variables. */
  readonly variables: readonly string[];
}

export interface Built {
  readonly results: readonly Tensor[];
  /** What the results may be differentiated by: float leaves, and float constants that operations added. */
  readonly variables: readonly Tensor[];
  readonly code: Code;
}

/** Leaves that steps may update. */
export interface Updates {
  /** Value of a leaf at this point of the recipe. */
  readonly current: (leaf: number) => Tensor;
  readonly assign: (leaf: number, value: Tensor) => void;
}

/** Builds the graph over `leaves`, one tensor per leaf of the recipe. Nothing is evaluated. */
export function build(recipe: Recipe, leaves: readonly Tensor[], updates?: Updates): Built {
  const body: string[] = [];
  const pool: Value[] = [];
  const variables: Value[] = [];
  let count = 0;
  const names = () => `x${count++}`;
  const emit = (line: string) => body.push(line);
  for (const [i, leaf] of recipe.leaves.entries()) {
    const x = leaves[i] as Tensor;
    const name = names();
    pool.push({
      get tensor() {
        return updates ? updates.current(i) : x;
      },
      name,
    });
    if (isFloat(leaf.dtype)) variables.push({ tensor: x, name });
  }
  const constant: MakeLeaf = (values, shape, dtype) => {
    const value = { tensor: tensor(Float64Array.from(values), { shape, dtype }), name: names() };
    emit(`const ${value.name} = ${tensorCode(values, shape, dtype)};`);
    if (isFloat(dtype)) variables.push(value);
    return value;
  };
  for (const { op, numbers } of recipe.steps) {
    const draw = new Draw({ numbers, pool, names, emit, leaf: constant });
    if (op === "assign") {
      const leaf = draw.integer(0, recipe.leaves.length - 1);
      const { shape, dtype } = recipe.leaves[leaf] as Leaf;
      const value = draw.operand((x) => x.dtype === dtype && x.shape.join() === shape.join()) as Value;
      emit(`${pool[leaf]?.name}.assign(${value.name});`);
      updates?.assign(leaf, value.tensor);
      continue;
    }
    if (op === "snapshot") {
      const value = pool[draw.integer(0, recipe.leaves.length - 1)] as Value;
      const name = names();
      emit(`const ${name} = new Tensor(${value.name}.node);`);
      pool.push({ tensor: new Tensor(value.tensor.node), name });
      continue;
    }
    const made = operations[op]?.(draw);
    const values = made === undefined ? [] : Array.isArray(made) ? (made as readonly Value[]) : [made as Value];
    for (const value of values) if (value.tensor.size <= maxElements * 4) pool.push(value);
  }
  const last = pool.length - 1;
  const chosen = [...new Set([last, ...recipe.results.map((n) => n % pool.length)])];
  const results = chosen.map((i) => pool[i] as Value);
  return {
    results: results.map((value) => value.tensor),
    variables: variables.map((value) => value.tensor),
    code: {
      leaves: pool.slice(0, recipe.leaves.length).map(({ name }) => name),
      values: recipe.leaves.map((leaf) => tensorCode(leafValues(leaf), leaf.shape, leaf.dtype)),
      body,
      results: results.map(({ name }) => name),
      variables: variables.map(({ name }) => name),
    },
  };
}

const weightsOf = (size: number): number[] =>
  Array.from({ length: size }, (_, i) => 1 + ((i * 0.6180339887498949) % 1));

/** Gradients of a weighted sum of the float results by everything they may depend on, in place of the results. */
export function withGradients({ results, variables, code }: Built): Built {
  const parts: string[] = [];
  let loss: Tensor | undefined;
  for (const [i, result] of results.entries()) {
    if (!isFloat(result.dtype)) continue;
    const { size, shape, dtype } = result;
    const part = sum(mul(result, tensor(weightsOf(size), { shape, dtype })));
    loss = loss?.add(part) ?? part;
    const weights = `tensor(${literal(weightsOf(size))}, { shape: [${shape.join(", ")}], dtype: "${dtype}" })`;
    parts.push(`sum(mul(${code.results[i]}, ${weights}))`);
  }
  if (!loss || variables.length === 0) return { results: [], variables: [], code: { ...code, results: [] } };
  const total = parts.reduce((before, part) => `add(${before}, ${part})`);
  const names = code.variables.map((_, i) => `gradients[${i}]`);
  const gradients = `grad(reshape(${total}, []), [${code.variables.join(", ")}], { allowUnused: true })`;
  return {
    results: grad(reshape(loss, []), [...variables], { allowUnused: true }) as Tensor[],
    variables,
    code: { ...code, body: [...code.body, `const gradients = ${gradients};`], results: names },
  };
}
