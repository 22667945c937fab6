// `serve --dev` opens ready to use: two people side by side, in two windows of one browser.

import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { shoot } from './support/browser.ts';
import { bubble, field, open, say, ticked } from './support/people.ts';
import { Stage } from './support/stage.ts';

const stage = new Stage('--dev');

test('the demo people chat in two windows of one browser', async () => {
  const visitor = await stage.enter({ viewport: { width: 1000, height: 720 } });
  const door = await visitor.open('/');
  const windowOf = async (name: string): Promise<Page> => {
    const opened = visitor.context.waitForEvent('page');
    await door.getByRole('link', { name }).click();
    return opened;
  };
  const [ana, ben] = [await windowOf('ana'), await windowOf('ben')];
  await open(ana, 'Ben');
  await say(ana, 'Hello from the left');
  await open(ben, 'Ana');
  await bubble(ben, 'Hello from the left').waitFor();
  await say(ben, 'And from the right');
  await ticked(ana, 'Hello from the left', 'read');
  await bubble(ana, 'And from the right').waitFor();
  await field(ana).waitFor();
  await shoot(ana, 'demo');
  await visitor.leave();
});
