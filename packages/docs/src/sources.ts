/** What the sources of `@thalweg/core/optim` say of its exports, read with TypeScript's own parser and checker. */
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import {
  type Expression,
  type Identifier,
  isCallExpression,
  isIdentifier,
  isObjectLiteralExpression,
  isPropertyAssignment,
  isPropertySignatureDeclaration,
  isShorthandPropertyAssignment,
  isTypeLiteralNode,
  isVariableDeclaration,
  type Node,
  type TypeNode,
} from "typescript/unstable/ast";
import { API, type Project, SymbolFlags, type Type, type Symbol as TypeScriptSymbol } from "typescript/unstable/sync";
import { hasFormula, namesIn, textOf } from "./docstring.ts";

/** Variables, functions, and what an import stands for. */
const values =
  SymbolFlags.FunctionScopedVariable | SymbolFlags.BlockScopedVariable | SymbolFlags.Function | SymbolFlags.Alias;

const root = fileURLToPath(new URL("../../..", import.meta.url));
const config = `${root}packages/core/tsconfig.json`;
const index = `${root}packages/core/src/optim/index.ts`;

export interface OptionDoc {
  readonly name: string;
  readonly text: string;
}

/** One meaning of a name. */
export interface MeaningDoc {
  /** Docstring of the rule, with those of the functions that it names. */
  readonly formula: string;
  readonly options: readonly OptionDoc[];
}

export interface ExportDoc {
  /** Docstring of the exported constant. */
  readonly text: string;
  /** Header of the file it stands in: papers, with links. */
  readonly header: string;
  /** From the root. */
  readonly file: string;
  /** By convention; what is made of no rule has one, called `torch`. */
  readonly meanings: Readonly<Record<string, MeaningDoc>>;
  /** Defaults as they are written, where no rule has them: a wrapper's. */
  readonly defaults: Readonly<Record<string, string>>;
}

/** Reads what is wanted while the compiler runs. */
export class Sources {
  readonly #api = new API({ cwd: root });
  readonly #project: Project;
  readonly #exports: ReadonlyMap<string, TypeScriptSymbol>;

  constructor() {
    const [project] = this.#api.updateSnapshot({ openProject: config }).getProjects();
    const file = project?.program.getSourceFile(index);
    const module = file && project?.checker.getSymbolAtLocation(file);
    if (!project || !module) throw new Error(`${index} is not part of ${config}`);
    this.#project = project;
    this.#exports = new Map(project.checker.getExportsOfModule(module).map((symbol) => [symbol.name, symbol]));
  }

  [Symbol.dispose](): void {
    this.#api.close();
  }

  /** @throws Error for what is not exported, or is no constant. */
  read(name: string): ExportDoc {
    const exported = this.#exports.get(name);
    const node = exported && this.#declaration(exported);
    if (!node || !isVariableDeclaration(node) || !node.initializer) {
      throw new Error(`${name}: expected packages/core/src/optim/index.ts to export a constant`);
    }
    if (!isCallExpression(node.initializer)) return this.#readFunction(name, node);
    const { typeArguments, arguments: given } = node.initializer;
    const types = this.#optionTypes(typeArguments?.[0]);
    const definition = given.find((argument) => isObjectLiteralExpression(argument));
    const parts = new Map(definition ? this.#properties(definition) : []);
    const text = this.#docstring(node);
    const isRule = [...types.keys()].some((convention) => parts.has(convention));
    const meanings = Object.entries(isRule ? Object.fromEntries(parts) : { torch: definition as Expression }).map(
      ([convention, value]) => [
        convention,
        {
          formula: isRule ? this.#formula(value, new Set([name])) : text,
          options: this.#options(types.get(convention)),
        },
      ],
    );
    const source = node.getSourceFile();
    const defaults = parts.get("defaults");
    return {
      text,
      header: this.#header(node),
      file: relative(root, source.fileName),
      meanings: Object.fromEntries(meanings),
      defaults: defaults ? this.#texts(defaults) : {},
    };
  }

  /** A function that stands beside its rule and whose options are an interface named after it: `lbfgs`, `LbfgsOptions`. */
  #readFunction(name: string, node: Node): ExportDoc {
    const { checker } = this.#project;
    const text = this.#docstring(node);
    const interfaceName = `${name.charAt(0).toUpperCase()}${name.slice(1)}Options`;
    const options = this.#exports.get(interfaceName);
    const type = options && checker.getDeclaredTypeOfSymbol(this.#resolved(options));
    const rule = checker.resolveName("rule", values, node);
    const declaration = rule && this.#declaration(rule);
    const definition = declaration && isVariableDeclaration(declaration) ? declaration.initializer : undefined;
    const defaults = definition && new Map(this.#properties(definition)).get("defaults");
    return {
      text,
      header: this.#header(node),
      file: relative(root, node.getSourceFile().fileName),
      meanings: { torch: { formula: text, options: this.#propertyDocs(type) } },
      defaults: defaults ? this.#texts(defaults) : {},
    };
  }

  #resolved(symbol: TypeScriptSymbol): TypeScriptSymbol {
    try {
      return this.#project.checker.getAliasedSymbol(symbol);
    } catch {
      return symbol;
    }
  }

  #declaration(symbol: TypeScriptSymbol): Node | undefined {
    const { valueDeclaration } = this.#resolved(symbol);
    return valueDeclaration?.resolve(this.#project);
  }

  /** Of a `const`, the comment stands before the statement. */
  #docstring(node: Node): string {
    const owner = isVariableDeclaration(node) ? node.parent.parent : node;
    const comment = [...(owner.jsDoc ?? [])].at(-1);
    return comment ? textOf(owner.getSourceFile().text.slice(comment.pos, comment.end)) : "";
  }

  #header(node: Node): string {
    const file = node.getSourceFile();
    const first = file.statements[0];
    const comment = first && [...(first.jsDoc ?? [])][0];
    return comment ? textOf(file.text.slice(comment.pos, comment.end)) : "";
  }

  /** Options types by convention: of `{ torch: A; keras: B }`; any other type stands for the one meaning there is. */
  #optionTypes(type: TypeNode | undefined): ReadonlyMap<string, TypeNode> {
    if (!type) return new Map();
    if (!isTypeLiteralNode(type)) return new Map([["torch", type]]);
    return new Map(
      type.members.flatMap((member) =>
        isPropertySignatureDeclaration(member) && member.type ? [[member.name.getText(), member.type] as const] : [],
      ),
    );
  }

  #options(type: TypeNode | undefined): OptionDoc[] {
    return this.#propertyDocs(type && this.#project.checker.getTypeFromTypeNode(type));
  }

  #propertyDocs(type: Type | undefined): OptionDoc[] {
    const { checker } = this.#project;
    if (!type) return [];
    return checker
      .getPropertiesOfType(type)
      .map((property) => ({ name: property.name, text: property.getDocumentationComment(checker) }));
  }

  #properties(object: Expression): [string, Expression][] {
    if (!isObjectLiteralExpression(object)) return [];
    return object.properties.flatMap((property): [string, Expression][] => {
      if (isPropertyAssignment(property)) return [[property.name.getText(), property.initializer]];
      return isShorthandPropertyAssignment(property) ? [[property.name.getText(), property.name as Identifier]] : [];
    });
  }

  #texts(object: Expression): Record<string, string> {
    return Object.fromEntries(this.#properties(object).map(([name, value]) => [name, value.getText()]));
  }

  /** Docstring of the constant or function that `node` names, then of those that it names in turn and that hold formulas. */
  #formula(node: Expression, seen: Set<string>): string {
    const declaration = this.#named(node);
    return declaration ? this.#withNamed(declaration, seen) : "";
  }

  /** What an identifier stands for, or the function that a call calls. */
  #named(node: Expression): Node | undefined {
    const called = isCallExpression(node) ? node.expression : node;
    const symbol = isIdentifier(called) ? this.#project.checker.getSymbolAtLocation(called) : undefined;
    return symbol && this.#declaration(symbol);
  }

  #withNamed(declaration: Node, seen: Set<string>): string {
    const own = this.#docstring(declaration);
    const folder = dirname(declaration.getSourceFile().fileName);
    const named = namesIn(own).flatMap((name) => {
      if (seen.has(name)) return [];
      seen.add(name);
      const symbol = this.#project.checker.resolveName(name, values, declaration);
      const found = symbol && this.#declaration(symbol);
      if (!found?.getSourceFile().fileName.startsWith(folder)) return [];
      const text = this.#withNamed(found, seen);
      return hasFormula(text) ? [`\`${name}\`:\n\n${text}`] : [];
    });
    // A rule made by a function of the same folder: the formula is the function's.
    const initializer = isVariableDeclaration(declaration) ? declaration.initializer : undefined;
    const maker = initializer && this.#named(initializer);
    const made = maker?.getSourceFile().fileName.startsWith(folder) ? this.#withNamed(maker, seen) : "";
    return [own, made, ...named].filter((text) => text !== "").join("\n\n");
  }
}
