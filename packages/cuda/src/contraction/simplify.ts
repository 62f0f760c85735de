/** Products in their simplest equivalent form: as few batch axes as every access allows. */
import { type Affine, type Instruction, type MatmulKernel, mapAffines } from "@thalweg/core/backend";

function affinesOf(body: readonly Instruction[]): Affine[] {
  const found: Affine[] = [];
  for (const instruction of body) {
    mapAffines(instruction, (affine) => {
      found.push(affine);
      return affine;
    });
  }
  return found;
}

/** The kernel without its batch axis `axis`, which was of size 1 or has been merged with another variable. */
function without(kernel: MatmulKernel, axis: number, sizes: Partial<MatmulKernel>): MatmulKernel {
  const drop = (strides: readonly number[]): number[] => strides.filter((_, position) => position !== axis);
  const { a, b, batch, epilogue } = kernel;
  return {
    ...kernel,
    batch: drop(batch),
    ...sizes,
    a: { ...a, strides: drop(a.strides) },
    b: { ...b, strides: drop(b.strides) },
    epilogue: {
      ...epilogue,
      body: epilogue.body.map((instruction) =>
        mapAffines(instruction, (affine) => ({ ...affine, strides: drop(affine.strides) })),
      ),
    },
  };
}

/** One step, or undefined where there is none left. */
function simplifyOnce(kernel: MatmulKernel): MatmulKernel | undefined {
  const { batch, m, n, a, b, epilogue } = kernel;
  const rank = batch.length;
  const affines = affinesOf(epilogue.body);
  /** Whether `axis` continues what `variable` (of `size`) walks over, in the epilogue. */
  const continues = (axis: number, variable: number, size: number): boolean =>
    affines.every(({ strides }) => strides[axis] === (strides[variable] as number) * size);
  for (let axis = rank - 1; axis >= 0; axis--) {
    const size = batch[axis] as number;
    const [inA, inB] = [a.strides[axis] as number, b.strides[axis] as number];
    if (size === 1) return without(kernel, axis, {});
    // The same B for a taller A, or the same A for a wider B.
    if (inB === 0 && inA === m * (a.strides[rank] as number) && continues(axis, rank, m))
      return without(kernel, axis, { m: m * size });
    if (inA === 0 && inB === n * (b.strides[rank + 1] as number) && continues(axis, rank + 1, n))
      return without(kernel, axis, { n: n * size });
    const next = axis + 1;
    if (next >= rank) continue;
    const nextSize = batch[next] as number;
    const merges = [a, b].every(({ strides }) => strides[axis] === (strides[next] as number) * nextSize);
    if (merges && continues(axis, next, nextSize)) {
      const merged = batch.map((old, position) => (position === next ? old * size : old));
      return without({ ...kernel, batch: merged }, axis, {});
    }
  }
  return undefined;
}

/** A kernel that computes the same. */
export function simplifyMatmul(kernel: MatmulKernel): MatmulKernel {
  let simplest = kernel;
  for (let next = simplifyOnce(simplest); next !== undefined; next = simplifyOnce(simplest)) simplest = next;
  return simplest;
}
