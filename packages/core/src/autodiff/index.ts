export { stopGradient } from "../tensor/elementwise.ts";
export { type GradFunctionOptions, grad, type ValueAndGradient, valueAndGrad } from "./grad.ts";
export { type GradOptions, hvp, jvp, vjp } from "./products.ts";
export type { Like, Tensors } from "./structure.ts";
