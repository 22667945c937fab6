// The console before a real server: sign in, send each kind of frame, read what comes back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { assertAccessible, shoot } from './support/browser.ts';
import { Stage } from './support/stage.ts';

const stage = new Stage();

const prepare = (page: Page, frame: string) => page.getByLabel(/^frame/).selectOption(frame);
const send = (page: Page) => page.getByRole('button', { name: 'Send', exact: true }).click();
/** The newest line of a frame that came or went. */
const line = (page: Page, side: 'client' | 'server', frame: string) =>
  page.locator(`.log li.${side} .head`, { has: page.locator('b', { hasText: new RegExp(`^${frame}$`) }) }).last();

async function signIn(page: Page, username: string, password: string): Promise<void> {
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await line(page, 'server', 'WELCOME').waitFor();
}

test('the guide is walked through: ping, sync, send twice, break the rules', async () => {
  const person = await stage.server.register('ana', 'Ana');
  const visitor = await stage.enter({ permissions: ['clipboard-read', 'clipboard-write'] });
  const page = await visitor.open('/console');
  await assertAccessible(page, 'the console');
  await signIn(page, person.username, person.password);

  await page.getByRole('button', { name: 'Prepare PING 16384' }).click();
  assert.equal(await page.getByLabel(/^bytes/).inputValue(), '040480004000');
  await send(page);
  await line(page, 'server', 'PONG').click();
  await page.getByRole('button', { name: 'Copy as golden vector' }).click();
  const copied: unknown = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
  const frames = [{ frame: 'PONG', nonce: 16384 }];
  assert.deepEqual(copied, { name: 'pong', from: 'server', hex: '050480004000', verdict: 'ok', frames });

  await prepare(page, 'SYNC');
  await send(page);
  await line(page, 'server', 'SYNCED').waitFor();
  await prepare(page, 'RESUME');
  await send(page);
  await prepare(page, 'SEND');
  await send(page);
  await page.getByText(/^rid 2 .* duplicate 0$/).waitFor();
  await send(page);
  await page.getByText(/^rid 3 .* duplicate 1$/).waitFor();
  await line(page, 'client', 'SEND').click();
  await page.getByRole('cell', { name: '"hello"' }).waitFor();
  await assertAccessible(page, 'an open frame');
  await shoot(page, 'console');

  await page.getByLabel(/^body/).fill('something else');
  await send(page);
  await page.getByText(/rid 4 · code conflict · flags not_applied/).waitFor();

  await page.getByRole('button', { name: 'Prepare 3f 01 aa' }).click();
  await send(page);
  await page.getByText(/^rid 0 · code unsupported/).waitFor();
  await page.getByText('closed, 4501: The client broke the protocol.').waitFor();
  await visitor.leave();
});

test('a token is as good as a password, and a wrong one is told', async () => {
  const person = await stage.server.register('ben', 'Ben');
  const visitor = await stage.enter({ viewport: { width: 390, height: 844 }, colorScheme: 'dark' });
  const page = await visitor.open('/console');
  await page.getByLabel('Token').fill(person.token);
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await line(page, 'server', 'WELCOME').click();
  await page.getByRole('cell', { name: `${person.user}` }).waitFor();
  await assertAccessible(page, 'the console on a phone, in the dark');
  await page.getByRole('button', { name: 'Disconnect' }).click();
  await page.getByText('closed, 1000').waitFor();
  await page.getByLabel('Token').fill('forged');
  await page.getByRole('button', { name: 'Connect', exact: true }).click();
  await page.getByText('closed, 4500: No valid access token: refresh once, then stop.').waitFor();
  await visitor.leave();
});
