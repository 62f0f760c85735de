/** The page, bundled by Vite and served, with no configuration of the bundler beyond what a test says. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, createServer, defaultClientConditions, type InlineConfig, preview } from "vite";

export interface SiteOptions {
  /** Whether the page is served with the two headers that isolate it from other origins, which shared memory needs. */
  readonly isolated: boolean;
  /** Vite's server for development instead of its bundle for production. */
  readonly development?: boolean;
  /** Packages are read from their sources rather than from what was built of them. */
  readonly sources?: boolean;
}

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** What a page needs for threads, and all it needs. */
export const isolationHeaders = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
} as const;

const page = fileURLToPath(new URL("../page", import.meta.url));

/** Builds the page and serves it on a free port of this machine. */
export async function openSite({ isolated, development = false, sources = false }: SiteOptions): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "thalweg-site-"));
  const headers = isolated ? isolationHeaders : {};
  const config: InlineConfig = {
    root: page,
    configFile: false,
    logLevel: "warn",
    cacheDir: join(folder, "cache"),
    ...(sources ? { resolve: { conditions: ["@thalweg/source", ...defaultClientConditions] } } : {}),
    build: { outDir: join(folder, "dist"), emptyOutDir: true, chunkSizeWarningLimit: 10_000 },
    server: { host: "127.0.0.1", headers },
    preview: { host: "127.0.0.1", headers },
  };
  if (!development) await build(config);
  const server = development ? await (await createServer(config)).listen() : await preview(config);
  const [url] = server.resolvedUrls?.local ?? [];
  if (url === undefined) throw new Error("Vite serves the page under no address");
  return {
    url,
    async close() {
      await server.close();
      await rm(folder, { recursive: true });
    },
  };
}
