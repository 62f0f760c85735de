/** What may follow the sums of a contraction. */
import { type ComputeDType, contiguousStrides, sizeOf } from "@thalweg/core/backend";
import { at, type Body, type Draft, within } from "./programs.ts";
import { fewBits } from "./values.ts";

/** Adds what follows the sum: given the Program, strides of the whole result, and its sizes. */
export type Finish = (draft: Draft, shape: readonly number[], dtype: ComputeDType) => (body: Body) => void;

const full = contiguousStrides;
/** Strides that move along one axis only. */
const along = (shape: readonly number[], axis: number) => shape.map((_, i) => (i === axis ? 1 : 0));

/** By what is done. */
export const epilogues: Readonly<Record<string, Finish>> = {
  "a bias for each column, and relu": (draft, shape, dtype) => {
    const axis = shape.length - 1;
    const bias = draft.input(dtype, fewBits(dtype, shape[axis] as number, 21));
    const output = draft.output(dtype, sizeOf(shape));
    return (body) => {
      const sum = body.binary("add", body.accumulator(dtype), body.load(bias, along(shape, axis)));
      body.store(output, full(shape), body.unary("relu", sum));
    };
  },
  "a bias for each row": (draft, shape, dtype) => {
    const axis = shape.length - 2;
    const bias = draft.input(dtype, fewBits(dtype, shape[axis] as number, 22));
    const output = draft.output(dtype, sizeOf(shape));
    return (body) => {
      const sum = body.binary("add", body.load(bias, along(shape, axis)), body.accumulator(dtype));
      body.store(output, full(shape), sum);
    };
  },
  "another result added, read backwards": (draft, shape, dtype) => {
    const size = sizeOf(shape);
    const residual = draft.input(dtype, fewBits(dtype, size, 23));
    const output = draft.output(dtype, size);
    const reversed = { offset: Math.max(size - 1, 0), strides: full(shape).map((stride) => -stride) };
    return (body) => {
      const sum = body.binary("add", body.accumulator(dtype), body.load(residual, reversed));
      body.store(output, full(shape), sum);
    };
  },
  "two stores, one scaled by a uniform and in another order": (draft, shape, dtype) => {
    const scale = draft.uniform(dtype, 3);
    const [raw, scaled] = [draft.output(dtype, sizeOf(shape) + 2), draft.output(dtype, sizeOf(shape))];
    const turned = [...full([...shape].reverse())].reverse();
    return (body) => {
      const sum = body.accumulator(dtype);
      body.store(raw, at(2, ...full(shape)), sum);
      body.store(scaled, turned, body.binary("mul", sum, body.uniform(scale)));
    };
  },
  "added to what the output held, in place": (draft, shape, dtype) => {
    const p = draft.parameter(dtype, fewBits(dtype, sizeOf(shape), 24));
    return (body) => {
      const sum = body.binary("sub", body.load(p, full(shape)), body.accumulator(dtype));
      body.store(p, full(shape), sum);
    };
  },
  "padding read by a masked load, and its own place": (draft, shape, dtype) => {
    const [rows, columns] = [shape[shape.length - 2] as number, shape[shape.length - 1] as number];
    const inner = [Math.max(rows - 2, 0), Math.max(columns - 1, 0)] as const;
    const x = draft.input(dtype, fewBits(dtype, inner[0] * inner[1], 25));
    const output = draft.output(dtype, sizeOf(shape));
    const [i, j] = [along(shape, shape.length - 2), along(shape, shape.length - 1)];
    return (body) => {
      const where = at(-inner[1] - 1, ...shape.map((_, axis) => (i[axis] as number) * inner[1] + (j[axis] as number)));
      const padded = body.load(x, where, within(at(-1, ...i), 0, inner[0]), within(at(-1, ...j), 0, inner[1]));
      const lower = body.inside(
        within(
          i.map((step, axis) => step - (j[axis] as number)),
          0,
          rows,
        ),
      );
      const place = body.cast(dtype, body.index(at(1, ...j)));
      const sum = body.binary("add", body.binary("add", body.accumulator(dtype), padded), place);
      body.store(output, full(shape), body.where(lower, sum, body.constant(dtype, 5)));
    };
  },
  "stored in two dtypes": (draft, shape, dtype) => {
    const [whole, truth] = [draft.output("int32", sizeOf(shape)), draft.output("bool", sizeOf(shape))];
    return (body) => {
      const sum = body.accumulator(dtype);
      body.store(whole, full(shape), body.cast("int32", sum));
      body.store(truth, full(shape), body.binary("less", body.constant(dtype, 1), sum));
    };
  },
};
