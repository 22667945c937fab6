// Chromium, and pages that fail a test for anything that a page must not do: an error in the console, an
// uncaught exception, a request to another host.

import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

const CHROMIUM = process.env['CHROMIUM'] ?? '/usr/bin/chromium';
const SHOTS = 'target/ui/screenshots';

export async function launch(): Promise<Browser> {
  mkdirSync(SHOTS, { recursive: true });
  return chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
}

/** A person's browser: storage of its own, and a list of what its pages did wrong. */
export class Visitor {
  readonly context: BrowserContext;
  readonly #wrongs: string[] = [];
  readonly #url: string;

  private constructor(context: BrowserContext, url: string) {
    this.context = context;
    this.#url = url;
  }

  static async enter(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Visitor> {
    const context = await browser.newContext({ baseURL: url, ...options });
    const visitor = new Visitor(context, url);
    context.setDefaultTimeout(15_000);
    context.on('request', (request) => {
      const { protocol, host } = new URL(request.url());
      const own = host === new URL(url).host || protocol === 'data:' || protocol === 'blob:';
      if (!own) visitor.#wrongs.push(`a request to ${request.url()}`);
    });
    context.on('weberror', (error) => visitor.#wrongs.push(`${error.error().stack}`));
    context.on('console', (message) => {
      // That a connection is refused while there is no server, the browser tells by itself.
      const refused = /ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INTERNET_DISCONNECTED|SOCKET_NOT_CONNECTED)/;
      if (message.type() === 'error' && !refused.test(message.text())) visitor.#wrongs.push(message.text());
    });
    return visitor;
  }

  async open(path: string): Promise<Page> {
    const page = await this.context.newPage();
    await page.goto(`${this.#url}${path}`);
    return page;
  }

  /** Leaves; fails if anything was wrong. */
  async leave(): Promise<void> {
    await this.context.close();
    assert.deepEqual(this.#wrongs, []);
  }
}

/** Keeps a picture among the artefacts. */
export async function shoot(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: `${SHOTS}/${name}.png` });
}

const AXE = readFileSync(createRequire(`${process.cwd()}/ui/package.json`).resolve('axe-core/axe.min.js'), 'utf8');

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string; readonly failureSummary: string }[] }[];
}

/** Fails if the accessibility of what is shown breaks a rule that axe knows. */
export async function assertAccessible(page: Page, what: string): Promise<void> {
  // Through the debugger: the page's own policy lets no foreign script in.
  const session = await page.context().newCDPSession(page);
  await session.send('Runtime.evaluate', { expression: AXE });
  const { result } = await session.send('Runtime.evaluate', {
    expression: 'axe.run({ resultTypes: ["violations"] })',
    awaitPromise: true,
    returnByValue: true,
  });
  await session.detach();
  const { violations } = result.value as AxeResult;
  const told = violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
  assert.deepEqual(told, [], `${what} is not accessible`);
}
