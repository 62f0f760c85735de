/**
 * Modules: plain callable objects. A module is its forward function together with its children, parameters and modules
 * under the keys that name them; there is no class to extend and nothing to register. Names nest with dots:
 * `layers.0.weight`.
 */
import { ArgumentError, Parameter, type Tensor } from "@thalweg/core";
import { checkStored, restoreTensor, type StoredTensor, storeTensor } from "@thalweg/core/optim";

/** What every module has, whatever it computes. */
export interface ModuleMethods {
  /** Kind of module, for `summary`: `linear`, `sequential` … */
  readonly type: string;
  /** Modules directly below, by key; a list of modules under the key k has keys `k.0`, `k.1` … */
  readonly children: Readonly<Record<string, AnyModule>>;
  /** True (the start) in training, false in evaluation: what dropout and batchNorm go by. */
  readonly training: boolean;
  /** Trainable parameters, of all modules below too; one that is shared comes once. */
  parameters(): Parameter[];
  /** As `parameters`, by name. */
  namedParameters(): Record<string, Parameter>;
  /** What is saved with a module but not trained, such as running statistics, by name. */
  buffers(): Record<string, Parameter>;
  /** This module (under the empty name) and all below, by name. */
  modules(): ReadonlyMap<string, AnyModule>;
  /** Parameters and buffers of this module alone, by key. */
  own(): Record<string, Parameter>;
  /** Switches this module and all below to training, or to evaluation with `false`. A compiled function notices. */
  train(mode?: boolean): void;
  /** As `train(false)`. */
  eval(): void;
  /** Values of all parameters and buffers, by name. */
  stateDict(): Promise<Record<string, StoredTensor>>;
  /**
   * Restores values. All or nothing: everything is checked before anything changes.
   *
   * @param options.strict Whether every name must be there, and no other (default); else what matches by name is
   * loaded.
   * @throws ArgumentError naming what is missing or unknown; ShapeError or DTypeError for a value that does not fit.
   */
  loadStateDict(state: Readonly<Record<string, StoredTensor>>, options?: { readonly strict?: boolean }): Promise<void>;
}

/** A module, whatever it takes and gives. */
export type AnyModule = ModuleMethods & ((...args: never[]) => unknown);

/** The usual module: one tensor in, one out. */
export type Module = ModuleMethods & ((x: Tensor) => Tensor);

/** What a module is made of. Absent parts (no bias) may stand as undefined. */
export type Parts = Readonly<Record<string, AnyModule | Parameter | readonly AnyModule[] | undefined>>;

export const isModule = (value: unknown): value is AnyModule =>
  typeof value === "function" && "namedParameters" in value && "modules" in value;

/**
 * Makes a module of your own:
 *
 *     const block = (width: number) => {
 *       const [norm, inner] = [layerNorm(width), linear(width, width)];
 *       return module({ norm, inner }, (x: Tensor) => add(x, inner(relu(norm(x)))));
 *     };
 *
 * The parts are properties of the module, too (`block.inner.weight`). Making a module names all parameters below it
 * after their place in it, so in the end they go by their place in the whole model.
 *
 * @param parts Parameters, modules and lists of modules; the keys name them.
 * @param forward What calling the module does.
 * @param type Shown by `summary`.
 * @throws ArgumentError for a key with a dot in it or one that modules have already (`parameters`, `name` …), or a part
 * that is none.
 */
export function module<P extends Parts, Args extends unknown[], Result>(
  parts: P,
  forward: (...args: Args) => Result,
  type = "module",
): ((...args: Args) => Result) & ModuleMethods & Readonly<P> {
  const own: Record<string, Parameter> = {};
  const children: Record<string, AnyModule> = {};
  for (const [key, part] of Object.entries(parts)) {
    if (key.includes(".")) throw new ArgumentError(type, `a part cannot be named ${key}: dots separate nested names`);
    if (part === undefined) continue;
    if (part instanceof Parameter) own[key] = part;
    else if (isModule(part)) children[key] = part;
    else if (Array.isArray(part) && part.every(isModule)) {
      for (const [i, child] of part.entries()) children[`${key}.${i}`] = child;
    } else {
      throw new ArgumentError(type, `part ${key} is neither a Parameter, a module nor a list of modules`);
    }
  }

  let training = true;
  // A map: a record would put the names that are whole numbers first.
  const modules = (): Map<string, AnyModule> => {
    const found = new Map<string, AnyModule>([["", self]]);
    for (const [key, child] of Object.entries(children)) {
      for (const [path, below] of child.modules()) found.set(join(key, path), below);
    }
    return found;
  };
  const all = (keep: (parameter: Parameter) => boolean): Record<string, Parameter> => {
    const found: Record<string, Parameter> = {};
    const seen = new Set<Parameter>();
    for (const [path, below] of modules()) {
      for (const [key, parameter] of Object.entries(below.own())) {
        if (seen.has(parameter) || !keep(parameter)) continue;
        seen.add(parameter);
        found[join(path, key)] = parameter;
      }
    }
    return found;
  };
  const everything = () => all(() => true);
  const train = (mode = true): void => {
    training = mode;
    for (const child of Object.values(children)) child.train(mode);
  };
  const methods: Omit<ModuleMethods, "training"> = {
    type,
    children,
    modules,
    own: () => ({ ...own }),
    parameters: () => Object.values(all((parameter) => parameter.trainable)),
    namedParameters: () => all((parameter) => parameter.trainable),
    buffers: () => all((parameter) => !parameter.trainable),
    train,
    eval: () => train(false),
    async stateDict() {
      const entries = Object.entries(everything()).map(
        async ([name, value]) => [name, await storeTensor(value)] as const,
      );
      return Object.fromEntries(await Promise.all(entries));
    },
    async loadStateDict(state, { strict = true } = {}) {
      load(everything(), state, strict);
    },
  };

  const self = ((...args: Args) => forward(...args)) as ((...args: Args) => Result) & ModuleMethods & Readonly<P>;
  Object.defineProperty(self, "training", { get: () => training, enumerable: true });
  Object.assign(self, methods);
  for (const [key, part] of Object.entries(parts)) {
    if (key in self)
      throw new ArgumentError(type, `a part cannot be named ${key}: every module has a property of that name`);
    Object.defineProperty(self, key, { value: part, enumerable: true });
  }
  for (const [name, parameter] of Object.entries(everything())) parameter.name = name;
  return self;
}

const join = (path: string, key: string): string => (path === "" || key === "" ? path + key : `${path}.${key}`);

function load(
  parameters: Readonly<Record<string, Parameter>>,
  state: Readonly<Record<string, StoredTensor>>,
  strict: boolean,
): void {
  const missing = Object.keys(parameters).filter((name) => !Object.hasOwn(state, name));
  const unknown = Object.keys(state).filter((name) => !Object.hasOwn(parameters, name));
  if (strict && missing.length + unknown.length > 0) {
    const problems = [
      ...(missing.length > 0 ? [`missing ${missing.join(", ")}`] : []),
      ...(unknown.length > 0 ? [`unknown ${unknown.join(", ")}`] : []),
    ];
    throw new ArgumentError("loadStateDict", problems.join("; "));
  }
  const matching = Object.entries(parameters).filter(([name]) => Object.hasOwn(state, name));
  for (const [name, { shape, dtype }] of matching) {
    checkStored("loadStateDict", name, state[name] as StoredTensor, shape, dtype);
  }
  for (const [name, parameter] of matching) restoreTensor(parameter, state[name] as StoredTensor);
}
