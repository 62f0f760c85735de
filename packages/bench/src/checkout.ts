/** Another commit's packages in a folder of their own, runnable from source, with this tree's measuring code. */
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";

/** Runs git in a folder and gives what it says, trimmed. */
export function git(folder: string, ...args: readonly string[]): string {
  return execFileSync("git", args, { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }).trim();
}

/** Files of this package that measure; the rest of the commit is what is measured. */
const benchPackage = join("packages", "bench");

/**
 * Puts `commit` of the repository at `root` into `folder`. Its files come from `git archive`, so git keeps no account of the
 * folder. Packages of the workspace link to the commit's own; what comes from npm, to what is installed in `root`.
 */
export function checkOut(root: string, commit: string, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const archive = execFileSync("git", ["archive", "--format=tar", commit, "package.json", "packages"], {
    cwd: root,
    maxBuffer: 2 ** 30,
  });
  execFileSync("tar", ["-xf", "-"], { cwd: folder, input: archive });
  rmSync(join(folder, benchPackage), { recursive: true, force: true });
  mkdirSync(join(folder, benchPackage), { recursive: true });
  for (const entry of ["src", "package.json"]) {
    cpSync(join(root, benchPackage, entry), join(folder, benchPackage, entry), { recursive: true });
  }
  linkModules(join(root, "node_modules"), join(folder, "node_modules"), workspacePackages(folder));
}

/** Folders of the workspace's packages by name. */
function workspacePackages(folder: string): ReadonlyMap<string, string> {
  const parent = join(folder, "packages");
  const folders = readdirSync(parent).map((name) => join(parent, name));
  return new Map(
    folders
      .filter((path) => existsSync(join(path, "package.json")))
      .map((path) => [(JSON.parse(readFileSync(join(path, "package.json"), "utf8")) as { name: string }).name, path]),
  );
}

function linkModules(installed: string, modules: string, own: ReadonlyMap<string, string>): void {
  // A link to a folder that needs no rights on Windows; elsewhere a symbolic link like any other.
  const link = (target: string, name: string) => symlinkSync(target, join(modules, name), "junction");
  mkdirSync(modules);
  for (const entry of readdirSync(installed, { withFileTypes: true })) {
    const { name } = entry;
    if (name.startsWith(".") || own.has(name) || !(entry.isDirectory() || entry.isSymbolicLink())) continue;
    if (!name.startsWith("@")) {
      link(join(installed, name), name);
      continue;
    }
    mkdirSync(join(modules, name), { recursive: true });
    for (const member of readdirSync(join(installed, name))) {
      const full = `${name}/${member}`;
      if (![...own.keys()].some((other) => other.startsWith(`${name}/`))) link(join(installed, name, member), full);
    }
  }
  for (const [name, path] of own) {
    const scope = name.includes("/") ? name.slice(0, name.indexOf("/")) : "";
    mkdirSync(join(modules, scope), { recursive: true });
    link(path, name);
  }
}
