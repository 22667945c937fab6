// What a file of tests needs: a server and a browser, there before its tests and gone after them.

import { after, before } from 'node:test';
import type { Browser, BrowserContextOptions } from 'playwright-core';
import { launch, Visitor } from './browser.ts';
import { Server } from './server.ts';

export class Stage {
  #server: Server | undefined;
  #browser: Browser | undefined;

  /** With further arguments of `serve`. */
  constructor(...options: readonly string[]) {
    before(async () => {
      this.#server = await Server.start(...options);
      this.#browser = await launch();
    });
    after(async () => {
      await this.#browser?.close();
      await this.#server?.end();
    });
  }

  get server(): Server {
    if (!this.#server) throw new Error('the server is started before the tests');
    return this.#server;
  }

  /** Somebody with a browser of their own, who visits this server or another. */
  enter(options: BrowserContextOptions = {}, { url } = this.server): Promise<Visitor> {
    if (!this.#browser) throw new Error('the browser is started before the tests');
    return Visitor.enter(this.#browser, url, options);
  }
}
