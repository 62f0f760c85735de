/** A recipe as tensors, and as code that can be pasted into a program. */
import { grad, isFloat, mul, reshape, sum, Tensor, tensor } from "@thalweg/core";
import { Draw, type MakeLeaf, maxElements, type Value } from "./draw.ts";
import { operations } from "./operations.ts";
import { type Leaf, leafValues, type Recipe } from "./recipe.ts";

/** A leaf's values as a tensor. */
export const makeLeaf = (leaf: Leaf): Tensor =>
  tensor(Float64Array.from(leafValues(leaf)), { shape: leaf.shape, dtype: leaf.dtype });

export interface Built {
  readonly results: readonly Tensor[];
  /** What the results may be differentiated by: float leaves, and float constants that operations added. */
  readonly variables: readonly Tensor[];
  readonly code: string;
}

const literal = (values: readonly number[]): string =>
  `[${values.map((v) => (Object.is(v, -0) ? "-0" : String(v))).join(", ")}]`;

/** Leaves that steps may update. */
export interface Updates {
  /** Value of a leaf at this point of the recipe. */
  readonly current: (leaf: number) => Tensor;
  readonly assign: (leaf: number, value: Tensor) => void;
}

/** Builds the graph over `leaves`, one tensor per leaf of the recipe. Nothing is evaluated. */
export function build(recipe: Recipe, leaves: readonly Tensor[], updates?: Updates): Built {
  const lines: string[] = [];
  const pool: Value[] = [];
  const variables: Tensor[] = [];
  let count = 0;
  const names = () => `x${count++}`;
  const declare = (values: readonly number[], shape: readonly number[], dtype: string): string => {
    const name = names();
    lines.push(
      `const ${name} = tensor(Float64Array.of(...${literal(values)}), { shape: [${shape}], dtype: "${dtype}" });`,
    );
    return name;
  };
  for (const [i, leaf] of recipe.leaves.entries()) {
    const x = leaves[i] as Tensor;
    const name = declare(leafValues(leaf), leaf.shape, leaf.dtype);
    pool.push({
      get tensor() {
        return updates ? updates.current(i) : x;
      },
      name,
    });
    if (isFloat(leaf.dtype)) variables.push(x);
  }
  const constant: MakeLeaf = (values, shape, dtype) => {
    const x = tensor(Float64Array.from(values), { shape, dtype });
    if (isFloat(dtype)) variables.push(x);
    return { tensor: x, name: declare(values, shape, dtype) };
  };
  for (const { op, numbers } of recipe.steps) {
    const emit = (line: string) => lines.push(line);
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
  lines.push(`return [${results.map(({ name }) => name).join(", ")}];`);
  return { results: results.map((value) => value.tensor), variables, code: lines.join("\n") };
}

/** Gradients of a weighted sum of the float results by everything they may depend on. */
export function gradients({ results, variables }: Built): Tensor[] {
  const parts = results
    .filter(({ dtype }) => isFloat(dtype))
    .map((result) => {
      const weights = Float64Array.from({ length: result.size }, (_, i) => 1 + ((i * 0.6180339887498949) % 1));
      return sum(mul(result, tensor(weights, { shape: result.shape, dtype: result.dtype })));
    });
  if (parts.length === 0 || variables.length === 0) return [];
  const loss = parts.reduce((total, part) => total.add(part));
  return grad(reshape(loss, []), [...variables], { allowUnused: true }) as Tensor[];
}
