/** Modules made of modules. */
import { ArgumentError, add, type Tensor } from "@thalweg/core";
import { type AnyModule, isModule, type Module, type ModuleMethods, module } from "./module.ts";

/** A step of `sequential`: a module, or any function of one tensor (which has no parameters to name). */
export type Layer = ((x: Tensor) => Tensor) | Module;

/** One layer after the other, as torch.nn.Sequential; names are `0.weight`, `1.weight` … */
export function sequential(...layers: readonly Layer[]): Module & { readonly layers: readonly Layer[] } {
  for (const [i, layer] of layers.entries()) {
    if (typeof layer !== "function") {
      throw new ArgumentError("sequential", `layer ${i} is neither a module nor a function: ${String(layer)}`);
    }
  }
  const parts: Record<string, AnyModule> = {};
  for (const [i, layer] of layers.entries()) if (isModule(layer)) parts[i] = layer;
  const forward = (x: Tensor): Tensor => layers.reduce((value, layer) => layer(value), x);
  return Object.assign(module(parts, forward, "sequential") as Module, { layers });
}

/**
 * shortcut(x) + body(x); without a shortcut, x + body(x). He et al. 2015, https://arxiv.org/abs/1512.03385. Names are
 * `body.…` and `shortcut.…`.
 */
export function residual<Body extends Module>(
  body: Body,
  shortcut?: Module,
): ModuleMethods & ((x: Tensor) => Tensor) & { readonly body: Body; readonly shortcut: Module | undefined } {
  return module({ body, shortcut }, (x: Tensor) => add(shortcut ? shortcut(x) : x, body(x)), "residual");
}
