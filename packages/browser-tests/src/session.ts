/** One page in one browser, and what it can be asked to do. */
import type { Browser, Page } from "playwright-core";
import type { PageTests } from "../page/main.ts";
import type { RequestOf, ResultOf, TaskName } from "../page/tasks.ts";
import { openSite, type SiteOptions } from "./site.ts";

/** Things the page's console said, kept to be quoted when it fails. */
const keptLines = 20;

export class BrowserSession {
  readonly #page: Page;
  readonly #close: () => Promise<void>;
  readonly #console: string[] = [];
  /** Rejects with the first error that nothing in the page caught. */
  readonly #failed: Promise<never>;

  private constructor(page: Page, close: () => Promise<void>) {
    this.#page = page;
    this.#close = close;
    page.on("console", (message) => {
      this.#console.push(message.text());
      if (this.#console.length > keptLines) this.#console.shift();
    });
    this.#failed = new Promise((_, reject) => {
      page.once("pageerror", reject);
      page.once("crash", () => reject(new Error("the page crashed")));
    });
    // Whoever waits for an answer hears of it.
    this.#failed.catch(() => undefined);
  }

  /** Builds and serves the page, opens it and waits until its scripts have run. */
  static async open(browser: Browser, options: SiteOptions): Promise<BrowserSession> {
    const site = await openSite(options);
    const page = await browser.newPage();
    const session = new BrowserSession(page, async () => {
      await page.close();
      await site.close();
    });
    await session.#answered(page.goto(site.url).then(() => page.waitForFunction(() => window.thalweg !== undefined)));
    return session;
  }

  /** Has the page do a task. */
  inPage<Name extends TaskName>(name: Name, request: RequestOf<Name>): Promise<ResultOf<Name>> {
    return this.#answered(
      this.#page.evaluate(
        (asked) => ((window.thalweg as PageTests)[asked.name] as (request: unknown) => Promise<unknown>)(asked.request),
        { name, request },
      ) as Promise<ResultOf<Name>>,
    );
  }

  /** Has a worker of the page do it. */
  inWorker<Name extends TaskName>(name: Name, request: RequestOf<Name>): Promise<ResultOf<Name>> {
    return this.#answered(
      this.#page.evaluate((asked) => (window.thalweg as PageTests).inWorker(asked.name, asked.request as never), {
        name,
        request,
      }) as Promise<ResultOf<Name>>,
    );
  }

  close(): Promise<void> {
    return this.#close();
  }

  async #answered<T>(answer: Promise<T>): Promise<T> {
    try {
      return await Promise.race([answer, this.#failed]);
    } catch (error) {
      const said = this.#console.map((line) => `\n  ${line}`).join("");
      throw new Error(`${error instanceof Error ? error.message : error}${said && `\nthe page said:${said}`}`, {
        cause: error,
      });
    }
  }
}
