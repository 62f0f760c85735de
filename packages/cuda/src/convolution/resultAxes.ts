/** How the axes of a result are numbered where its epilogue stands. */
import { type Affine, type Instruction, mapAffines } from "@thalweg/core/backend";

/** Whether axis `outer` goes on where axis `inner`, of `size`, ends: then one number can walk over both. */
export function isContinued(body: readonly Instruction[], outer: number, inner: number, size: number): boolean {
  let continued = true;
  const look = (affine: Affine): Affine => {
    if (affine.strides[outer] !== (affine.strides[inner] as number) * size) continued = false;
    return affine;
  };
  for (const instruction of body) mapAffines(instruction, look);
  return continued;
}
