/** Logistic regression on features that are mostly zero: which character n-grams a name has. */
import { readFile } from "node:fs/promises";
import { add, bceWithLogits, compile, matmul, Parameter, type Tensor, tensor, zeros } from "@thalweg/core";
import type { Optimizer } from "@thalweg/core/optim";
import { DataError } from "@thalweg/train";
import { shuffled, uniform } from "./numbers.ts";

export interface SparseData {
  readonly source: string;
  readonly features: number;
  readonly train: readonly Example[];
  readonly validation: readonly Example[];
}

interface Example {
  /** Features that it has; all others are 0. */
  readonly present: readonly number[];
  readonly label: 0 | 1;
}

const longest = 3;
const vowels = new Set("aeiouy");

/** Character n-grams, one to three long, of what comes before a name's last letter. */
function ngrams(name: string): string[] {
  const text = `^${name.slice(0, -1)}$`;
  const found: string[] = [];
  for (let length = 1; length <= longest; length++) {
    for (let at = 0; at + length <= text.length; at++) found.push(text.slice(at, at + length));
  }
  return found;
}

/**
 * Names, one a line: does the last letter stand for a vowel? One in five is kept to validate with. Throws DataError.
 *
 * @param most Names used, chosen at random.
 */
export async function readNames(path: string, most: number): Promise<SparseData> {
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    throw new DataError(path, cause.message, { cause });
  });
  const names = text.split("\n").filter((line) => line.length > 1);
  if (names.length < 10) throw new DataError(path, `${names.length} names; expected at least 10`);
  const chosen = (await shuffled(names.length, 7)).slice(0, most).map((at) => names[at] as string);
  const index = new Map<string, number>();
  const examples = chosen.map((name): Example => {
    const present = new Set(
      ngrams(name).map((ngram) => {
        if (!index.has(ngram)) index.set(ngram, index.size);
        return index.get(ngram) as number;
      }),
    );
    return { present: [...present], label: vowels.has(name.at(-1) as string) ? 1 : 0 };
  });
  return { source: `n-grams of ${examples.length} names`, features: index.size, ...divided(examples) };
}

/** Features whose frequencies fall as those of words do, each speaking for a label or against it. */
export async function generateSparse(count: number, features: number): Promise<SparseData> {
  const weights = (await uniform(features, 11)).map((value) => (value < 0.5 ? -2 : 2));
  const draws = await uniform(count * features, 12);
  const noise = await uniform(count, 13);
  const examples = Array.from({ length: count }, (_, i): Example => {
    const present = Array.from({ length: features }, (_, j) => j).filter(
      (j) => (draws[i * features + j] as number) < Math.min(0.5, 2 / (j + 1)),
    );
    const logit = present.reduce((total, j) => total + (weights[j] as number), 0);
    return { present, label: (noise[i] as number) < 1 / (1 + Math.exp(-logit)) ? 1 : 0 };
  });
  return { source: `${count} generated examples`, features, ...divided(examples) };
}

function divided(examples: readonly Example[]): Pick<SparseData, "train" | "validation"> {
  const end = Math.floor((4 * examples.length) / 5);
  return { train: examples.slice(0, end), validation: examples.slice(end) };
}

const batchSize = 32;

/** The mean loss on the validation set after one pass over the training set. */
export async function sparseLoss(
  { features, train, validation }: SparseData,
  make: (parameters: readonly Parameter[]) => Optimizer,
): Promise<number> {
  const weight = new Parameter(zeros([features, 1]), { name: "weight" });
  const bias = new Parameter(zeros([1]), { name: "bias" });
  const optimizer = make([weight, bias]);
  const loss = (x: Tensor, y: Tensor): Tensor => bceWithLogits(add(matmul(x, weight), bias), y);
  const step = compile((x: Tensor, y: Tensor) => optimizer.minimize(loss(x, y)));
  const evaluate = compile(loss);
  const batch = (examples: readonly Example[]) => {
    const x = new Float32Array(examples.length * features);
    examples.forEach(({ present }, row) => {
      for (const feature of present) x[row * features + feature] = 1;
    });
    const labels = Float32Array.from(examples, ({ label }) => label);
    return [
      tensor(x, { shape: [examples.length, features] }),
      tensor(labels, { shape: [examples.length, 1] }),
    ] as const;
  };
  for (let at = 0; at + batchSize <= train.length; at += batchSize) step(...batch(train.slice(at, at + batchSize)));
  let total = 0;
  for (let at = 0; at < validation.length; at += 250) {
    const part = validation.slice(at, at + 250);
    total += part.length * (await evaluate(...batch(part)).item());
  }
  return total / validation.length;
}
