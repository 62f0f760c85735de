/** A WebAssembly module: imports, functions, exports; written as the binary format has it. */
import { ByteWriter } from "./bytes.ts";
import { type Effect, type Expression, Instruction, leb, type ValueType, valueTypeCodes } from "./expression.ts";
import { FunctionBuilder } from "./function.ts";

export interface Signature {
  readonly parameters: readonly ValueType[];
  readonly results: readonly ValueType[];
}

/** A function of the module, imported or its own. */
export interface FunctionReference extends Signature {
  readonly index: number;
}

export interface MemoryImport {
  readonly module: string;
  readonly name: string;
  /** Pages of 64 KiB. */
  readonly initial: number;
  readonly maximum: number;
  readonly shared: boolean;
}

/** The function's result. */
export function call<T extends ValueType>(type: T, f: FunctionReference, args: readonly Expression[]): Expression<T> {
  checkArguments(f, args);
  if (f.results.length !== 1 || f.results[0] !== type) throw new TypeError(`function ${f.index} does not give ${type}`);
  return new Instruction(type, [0x10, ...leb(f.index)], args);
}

/** A call of a function that has no result. */
export function callEffect(f: FunctionReference, args: readonly Expression[]): Effect {
  checkArguments(f, args);
  if (f.results.length > 0) throw new TypeError(`function ${f.index} has a result`);
  return new Instruction("none", [0x10, ...leb(f.index)], args);
}

function checkArguments(f: FunctionReference, args: readonly Expression[]): void {
  if (args.length !== f.parameters.length || args.some(({ type }, i) => type !== f.parameters[i])) {
    throw new TypeError(
      `function ${f.index} takes (${f.parameters.join(", ")}), got (${args.map(({ type }) => type).join(", ")})`,
    );
  }
}

export class ModuleBuilder {
  readonly #types = new Map<string, { readonly index: number; readonly signature: Signature }>();
  readonly #imports: { readonly module: string; readonly name: string; readonly type: number }[] = [];
  readonly #functions: { readonly type: number; code?: Uint8Array }[] = [];
  readonly #exports: { readonly name: string; readonly index: number }[] = [];
  readonly #shared = new Map<string, FunctionReference>();
  #memory: MemoryImport | undefined;

  #type(signature: Signature): number {
    const key = `${signature.parameters.join()}>${signature.results.join()}`;
    const known = this.#types.get(key);
    if (known) return known.index;
    const index = this.#types.size;
    this.#types.set(key, { index, signature });
    return index;
  }

  importMemory(memory: MemoryImport): void {
    this.#memory = memory;
  }

  /** All imports come before the first function. */
  importFunction(module: string, name: string, signature: Signature): FunctionReference {
    if (this.#functions.length > 0) throw new TypeError("functions are imported before any is declared");
    this.#imports.push({ module, name, type: this.#type(signature) });
    return { ...signature, index: this.#imports.length - 1 };
  }

  /** A function whose body comes later, by `define`. */
  declare(parameters: readonly ValueType[], results: readonly ValueType[]): FunctionReference {
    this.#functions.push({ type: this.#type({ parameters, results }) });
    return { parameters, results, index: this.#imports.length + this.#functions.length - 1 };
  }

  define(f: FunctionReference, build: (f: FunctionBuilder) => void): void {
    const builder = new FunctionBuilder(f.parameters, f.results);
    build(builder);
    (this.#functions[f.index - this.#imports.length] as { code?: Uint8Array }).code = builder.toBytes();
  }

  function(
    parameters: readonly ValueType[],
    results: readonly ValueType[],
    build: (f: FunctionBuilder) => void,
  ): FunctionReference {
    const f = this.declare(parameters, results);
    this.define(f, build);
    return f;
  }

  /** The function known as `key`, built when it is first asked for. A function with results ends in `f.return(value)`. */
  shared(
    key: string,
    parameters: readonly ValueType[],
    results: readonly ValueType[],
    build: (f: FunctionBuilder) => void,
  ): FunctionReference {
    const known = this.#shared.get(key);
    if (known) return known;
    const f = this.declare(parameters, results);
    this.#shared.set(key, f);
    this.define(f, build);
    return f;
  }

  export(name: string, f: FunctionReference): void {
    this.#exports.push({ name, index: f.index });
  }

  toBytes(): Uint8Array<ArrayBuffer> {
    const module = new ByteWriter();
    module.append([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
    const section = (code: number, count: number, write: (to: ByteWriter) => void): void => {
      if (count === 0) return;
      const content = new ByteWriter();
      content.unsigned(count);
      write(content);
      module.byte(code);
      module.unsigned(content.length);
      module.append(content.view());
    };
    const valueTypes = (to: ByteWriter, types: readonly ValueType[]): void => {
      to.unsigned(types.length);
      for (const type of types) to.byte(valueTypeCodes[type]);
    };
    section(1, this.#types.size, (to) => {
      for (const { signature } of this.#types.values()) {
        to.byte(0x60);
        valueTypes(to, signature.parameters);
        valueTypes(to, signature.results);
      }
    });
    section(2, this.#imports.length + (this.#memory ? 1 : 0), (to) => {
      for (const { module: from, name, type } of this.#imports) {
        to.name(from);
        to.name(name);
        to.byte(0x00);
        to.unsigned(type);
      }
      if (!this.#memory) return;
      const { module: from, name, initial, maximum, shared } = this.#memory;
      to.name(from);
      to.name(name);
      to.append([0x02, shared ? 0x03 : 0x01]);
      to.unsigned(initial);
      to.unsigned(maximum);
    });
    section(3, this.#functions.length, (to) => {
      for (const { type } of this.#functions) to.unsigned(type);
    });
    section(7, this.#exports.length, (to) => {
      for (const { name, index } of this.#exports) {
        to.name(name);
        to.byte(0x00);
        to.unsigned(index);
      }
    });
    section(10, this.#functions.length, (to) => {
      for (const [index, { code }] of this.#functions.entries()) {
        if (!code) throw new TypeError(`function ${index + this.#imports.length} was declared and not defined`);
        to.unsigned(code.length);
        to.append(code);
      }
    });
    return module.toBytes();
  }
}
