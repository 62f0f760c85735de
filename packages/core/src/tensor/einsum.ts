/**
 * Einstein summation. Operands are joined from left to right; each join is one batched matmul (or a product, when nothing
 * is summed), so that "bij,bjk->bik" is exactly a batched matmul.
 */
import { ArgumentError, ShapeError } from "../graph/errors.ts";
import { formatShape, sizeOf } from "../graph/shape.ts";
import { asTensor, broadcastTo, checkSameDType, reshapeTo, type TensorLike } from "./convert.ts";
import { mul } from "./elementwise.ts";
import { matmulNode } from "./linalg.ts";
import { reduceNode } from "./reduce.ts";
import type { Tensor } from "./tensor.ts";
import { diagonal, permute } from "./views.ts";

/** A tensor whose axes have names. Axes of an ellipsis are named 0, 1, 2 … from the last. */
interface Term {
  readonly tensor: Tensor;
  readonly labels: readonly string[];
}

function fail(equation: string, message: string): never {
  throw new ArgumentError("einsum", `"${equation}": ${message}`);
}

/** Letters of one side, the ellipsis spread over `width` axes. */
function parseLabels(equation: string, side: string, width: number): string[] {
  const parts = side.split("...");
  if (parts.length > 2) fail(equation, `more than one ellipsis in "${side}"`);
  const ellipsis = Array.from({ length: width }, (_, i) => String(width - 1 - i));
  const letters = (text: string): string[] => [...text];
  const labels = [
    ...letters(parts[0] as string),
    ...(parts.length === 2 ? [...ellipsis, ...letters(parts[1] as string)] : []),
  ];
  for (const label of labels) {
    if (!/^[A-Za-z0-9]$/.test(label) && !ellipsis.includes(label)) fail(equation, `"${label}" is no letter`);
  }
  if (/[0-9]/.test(side)) fail(equation, "subscripts must be letters");
  return labels;
}

/** Repeated labels of one operand taken along their diagonal. */
function withoutRepeats(equation: string, { tensor, labels }: Term): Term {
  const at = labels.findIndex((label, i) => labels.indexOf(label) !== i);
  if (at < 0) return { tensor, labels };
  const first = labels.indexOf(labels[at] as string);
  if (tensor.shape[first] !== tensor.shape[at]) {
    fail(equation, `repeated "${labels[at]}" has sizes ${tensor.shape[first]} and ${tensor.shape[at]}`);
  }
  const rest = labels.filter((_, i) => i !== first && i !== at);
  const next = { tensor: diagonal(tensor, { axis0: first, axis1: at }), labels: [...rest, labels[at] as string] };
  return withoutRepeats(equation, next);
}

const sizeAt = ({ tensor, labels }: Term, label: string): number => tensor.shape[labels.indexOf(label)] as number;

/** The axes summed that `wanted` does not name. */
function sumOut({ tensor, labels }: Term, wanted: ReadonlySet<string>): Term {
  const gone = labels.map((_, i) => i).filter((i) => !wanted.has(labels[i] as string));
  return { tensor: reduceNode("sum", tensor, gone), labels: labels.filter((label) => wanted.has(label)) };
}

const arrange = ({ tensor, labels }: Term, order: readonly string[]): Tensor =>
  permute(
    tensor,
    order.map((label) => labels.indexOf(label)),
  );

/** Two terms made one, whose labels are those `wanted` later. */
function joinTerms(a: Term, b: Term, wanted: ReadonlySet<string>, sizes: ReadonlyMap<string, number>): Term {
  const inBoth = new Set([...a.labels, ...b.labels]);
  const [left, right] = [a, b].map((term, i) => {
    const other = i === 0 ? b : a;
    // What nobody else needs is summed first; an axis of size 1 against a larger one is a broadcast, and stays.
    return sumOut(term, new Set([...inBoth].filter((label) => wanted.has(label) || other.labels.includes(label))));
  }) as [Term, Term];
  const shared = left.labels.filter((label) => right.labels.includes(label));
  const [batch, summed] = [shared.filter((label) => wanted.has(label)), shared.filter((label) => !wanted.has(label))];
  const freeLeft = left.labels.filter((label) => !shared.includes(label));
  const freeRight = right.labels.filter((label) => !shared.includes(label));
  const dims = (labels: readonly string[]): number[] => labels.map((label) => sizes.get(label) as number);
  const labels = [...batch, ...freeLeft, ...freeRight];
  if (summed.length === 0) {
    const x = arrange(left, [...batch, ...freeLeft]);
    const y = arrange(right, [...batch, ...freeRight]);
    const column = reshapeTo(x, [...x.shape, ...freeRight.map(() => 1)]);
    const row = reshapeTo(y, [
      ...y.shape.slice(0, batch.length),
      ...freeLeft.map(() => 1),
      ...y.shape.slice(batch.length),
    ]);
    return { tensor: mul(column, row), labels };
  }
  const whole = (term: Term, order: readonly string[]): Tensor => broadcastTo(arrange(term, order), dims(order));
  const [m, k, n] = [sizeOf(dims(freeLeft)), sizeOf(dims(summed)), sizeOf(dims(freeRight))];
  const x = reshapeTo(whole(left, [...batch, ...freeLeft, ...summed]), [...dims(batch), m, k]);
  const y = reshapeTo(whole(right, [...batch, ...summed, ...freeRight]), [...dims(batch), k, n]);
  return { tensor: reshapeTo(matmulNode(x, y), dims(labels)), labels };
}

/**
 * torch.einsum: labels left out of the output are summed. Without "->" the output has the labels that occur once, in
 * alphabetical order, after the ellipsis. A label repeated within an operand takes its diagonal; "..." stands for any
 * leading axes, which broadcast. Operands must have one dtype.
 *
 * einsum("bij,bjk->bik", a, b); einsum("ii", m); einsum("...i,i->...", x, w)
 */
export function einsum(equation: string, ...operands: readonly TensorLike[]): Tensor {
  const [inputs, output, extra] = equation.replace(/\s+/g, "").split("->") as [
    string,
    string | undefined,
    string | undefined,
  ];
  if (extra !== undefined) fail(equation, `more than one "->"`);
  const sides = inputs.split(",");
  if (operands.length === 0 || sides.length !== operands.length)
    fail(equation, `names ${sides.length} operands, got ${operands.length}`);
  const tensors = operands.map((x) => asTensor(x));
  checkSameDType("einsum", ...tensors);
  let widest = 0;
  const terms = sides.map((side, i) => {
    const tensor = tensors[i] as Tensor;
    const width = side.includes("...") ? tensor.rank - side.replace("...", "").length : 0;
    const labels = width < 0 ? [] : parseLabels(equation, side, width);
    if (labels.length !== tensor.rank) {
      throw new ShapeError(
        "einsum",
        `"${equation}": "${side}" does not name the axes of operand ${i}, ${formatShape(tensor.shape)}`,
      );
    }
    widest = Math.max(widest, width);
    return withoutRepeats(equation, { tensor, labels });
  });
  const sizes = new Map<string, number>();
  for (const term of terms) {
    for (const label of term.labels) {
      const [known, size] = [sizes.get(label) ?? 1, sizeAt(term, label)];
      if (known !== 1 && size !== 1 && known !== size) {
        throw new ShapeError("einsum", `"${equation}": "${label}" has sizes ${known} and ${size}`);
      }
      sizes.set(label, known === 1 ? size : known);
    }
  }
  const result =
    output === undefined ? implicitOutput(equation, inputs, widest) : parseLabels(equation, output, widest);
  for (const [i, label] of result.entries()) {
    if (!sizes.has(label)) fail(equation, `output "${label}" is in no operand`);
    if (result.indexOf(label) !== i) fail(equation, `output "${label}" is repeated`);
  }
  let joined = terms[0] as Term;
  for (let i = 1; i < terms.length; i++) {
    const later = terms.slice(i + 1).flatMap(({ labels }) => labels);
    joined = joinTerms(joined, terms[i] as Term, new Set([...result, ...later]), sizes);
  }
  return arrange(sumOut(joined, new Set(result)), result);
}

function implicitOutput(equation: string, inputs: string, width: number): string[] {
  const letters = [...inputs.replaceAll(",", "").replaceAll("...", "")];
  const once = letters.filter((letter) => letters.indexOf(letter) === letters.lastIndexOf(letter)).sort();
  return parseLabels(equation, `...${once.join("")}`, width);
}
