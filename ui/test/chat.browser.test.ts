// Two people chat in Chromium before a real server: what they see of each other, without a network, over a
// power cut, in two tabs, by keyboard alone.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrowserContextOptions, Page } from 'playwright-core';
import { assertAccessible, shoot, Visitor } from './support/browser.ts';
import { bubble, choose, field, open, pill, said, say, signIn, ticked } from './support/people.ts';
import type { Person } from './support/server.ts';
import { Server } from './support/server.ts';
import { Stage } from './support/stage.ts';

const stage = new Stage();
let people = 0;

const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, colorScheme: 'dark' };

/** Somebody new, of a name that nobody else has. */
const somebody = (name: string): Promise<Person> => stage.server.register(`${name.toLowerCase()}${++people}`, name);

/** Two people with a chat in which the first has said something. */
async function pair(greeting: string): Promise<{ ana: Person; ben: Person; chat: number }> {
  const [ana, ben] = [await somebody('Ana'), await somebody('Ben')];
  const { chat } = await stage.server.ask('POST', '/chats', { kind: 'direct', user: ben.user }, ana.token);
  await stage.server.ask('POST', '/message/send', { chat, client_id: 1, text: greeting }, ana.token);
  return { ana, ben, chat: chat as number };
}

async function enter(person: Person, options: BrowserContextOptions = {}): Promise<{ visitor: Visitor; page: Page }> {
  const visitor = await stage.enter(options);
  const page = await visitor.open('/');
  await signIn(page, person);
  return { visitor, page };
}

test('two people register, find each other and chat', async () => {
  const [first, second] = [await stage.enter(), await stage.enter(PHONE)];
  const [ana, ben] = [await first.open('/'), await second.open('/')];
  await assertAccessible(ana, 'the way in');
  await shoot(ana, 'sign-in');
  for (const [page, name] of [[ana, 'ana.new'], [ben, 'ben.new']] as const) {
    await page.getByRole('button', { name: 'Create an account' }).click();
    await page.getByLabel('User name').fill(name);
    await page.getByLabel('Password').fill('a long password');
    await page.getByRole('button', { name: 'Create account' }).click();
    await page.getByRole('heading', { name: 'Chats' }).waitFor();
    await assertAccessible(page, 'a list without chats');
  }

  await choose(ana, 'New chat');
  await ana.getByLabel('User name').fill('nobody.here');
  await ana.getByRole('button', { name: 'Find' }).click();
  await ana.getByText('Nobody is called nobody.here.').waitFor();
  await ana.getByLabel('User name').fill('ben.new');
  await ana.getByRole('button', { name: 'Find' }).click();
  await ana.getByRole('button', { name: 'Keep' }).click();
  await ana.getByRole('list', { name: 'Contacts' }).getByText('ben.new').first().waitFor();
  await assertAccessible(ana, 'the dialog for a new chat');
  await ana.getByRole('button', { name: 'Chat', exact: true }).click();
  await field(ana).waitFor();
  await say(ana, 'Did the parcel from the valley arrive?');
  await ticked(ana, 'Did the parcel', 'delivered');

  const link = ben.getByRole('link', { name: 'ana.new' });
  await link.getByText('1 unread').waitFor();
  assert.equal(await ben.title(), '(1) chasqui');
  await link.click();
  await bubble(ben, 'Did the parcel').waitFor();
  await ticked(ana, 'Did the parcel', 'read');
  assert.equal(await ben.title(), 'chasqui');
  await field(ben).pressSequentially('It di');
  await ana.locator('.names').getByText('typing…').waitFor();
  await say(ben, 'It did, this morning. Thank you!');
  await bubble(ana, 'It did, this morning').waitFor();
  await ana.locator('.names').getByText('@ben.new').waitFor();
  await ticked(ben, 'It did', 'read');
  await assertAccessible(ben, 'a chat on a phone, in the dark');
  await first.leave();
  await second.leave();
});

test('without a network one goes on writing, and it is sent once there is one', async () => {
  const { ana, ben } = await pair('Hello');
  const [first, second] = [await enter(ana), await enter(ben)];
  await open(first.page, 'Ben');
  await open(second.page, 'Ana');
  await ticked(first.page, 'Hello', 'read');
  await first.visitor.context.setOffline(true);
  await pill(first.page).getByText('Offline. What you write is sent later.').waitFor();
  for (const text of ['One', 'Two', 'Three']) await say(first.page, text);
  await ticked(first.page, 'Three', 'waiting to be sent');
  await say(second.page, 'Are you there?');
  await ticked(second.page, 'Are you there?', 'sent');
  await assertAccessible(first.page, 'a chat without a network');
  await shoot(first.page, 'offline');

  await first.visitor.context.setOffline(false);
  await ticked(first.page, 'Three', 'read');
  await bubble(second.page, 'Three').waitFor();
  const expected = ['Hello', 'Are you there?', 'One', 'Two', 'Three'];
  assert.deepEqual(await said(first.page), expected);
  assert.deepEqual(await said(second.page), expected);
  await first.visitor.leave();
  await second.visitor.leave();
});

test('the page opens without a network, as it was left', async () => {
  const { ana } = await pair('Kept here');
  const { visitor, page } = await enter(ana);
  await open(page, 'Ben');
  await bubble(page, 'Kept here').waitFor();
  await page.waitForFunction(() => navigator.serviceWorker.ready);
  await visitor.context.setOffline(true);
  await page.reload();
  await bubble(page, 'Kept here').waitFor();
  await say(page, 'Written in the tunnel');
  await ticked(page, 'Written in the tunnel', 'waiting to be sent');
  await page.reload();
  await ticked(page, 'Written in the tunnel', 'waiting to be sent');
  await visitor.context.setOffline(false);
  await ticked(page, 'Written in the tunnel', 'sent');
  await visitor.leave();
});

test('a server that is killed in mid-chat and started again is hardly noticed', async () => {
  const own = await Server.start();
  const [ana, ben] = [await own.register('ana', 'Ana'), await own.register('ben', 'Ben')];
  const { chat } = await own.ask('POST', '/chats', { kind: 'direct', user: ben.user }, ana.token);
  await own.ask('POST', '/message/send', { chat, client_id: 1, text: 'Hello' }, ana.token);
  const visitors = [await stage.enter({}, own), await stage.enter({}, own)] as const;
  const pages = [await visitors[0].open('/'), await visitors[1].open('/')] as const;
  await signIn(pages[0], ana);
  await signIn(pages[1], ben);
  await open(pages[0], 'Ben');
  await open(pages[1], 'Ana');
  const expected = ['Hello'];
  for (let round = 1; round <= 3; round++) {
    // Some of these are on their way when the power fails.
    for (let i = 1; i <= 5; i++) await say(pages[0], `${round}.${i}`);
    await own.kill();
    await say(pages[0], `${round} in the dark`);
    await own.restart();
    expected.push(...[1, 2, 3, 4, 5].map((i) => `${round}.${i}`), `${round} in the dark`);
    for (const page of pages) await page.getByRole('button', { name: 'Now' }).click({ timeout: 500 }).catch(() => undefined);
    await ticked(pages[0], `${round} in the dark`, 'read');
  }
  for (const page of pages) {
    await bubble(page, '3 in the dark').waitFor();
    assert.deepEqual(await said(page), expected);
  }
  await visitors[0].leave();
  await visitors[1].leave();
  await own.end();
});

test('two tabs of one person show the same, and one goes on when the other closes', async () => {
  const { ana, ben } = await pair('Hello');
  const { visitor, page: left } = await enter(ana);
  const right = await visitor.open('/');
  await open(left, 'Ben');
  await open(right, 'Ben');
  await say(left, 'From the left');
  await ticked(right, 'From the left', 'sent');
  await say(right, 'From the right');
  await ticked(left, 'From the right', 'sent');
  await left.close();
  await say(right, 'Alone now');
  await ticked(right, 'Alone now', 'sent');
  const other = await enter(ben);
  await open(other.page, 'Ana');
  await ticked(right, 'Alone now', 'read');
  const expected = ['Hello', 'From the left', 'From the right', 'Alone now'];
  assert.deepEqual(await said(right), expected);
  assert.deepEqual(await said(other.page), expected);
  await visitor.leave();
  await other.visitor.leave();
});

test('a group: begun, joined, renamed and left', async () => {
  const [ana, ben, cleo] = [await somebody('Ana'), await somebody('Ben'), await somebody('Cleo')];
  const [first, second] = [await enter(ana), await enter(ben)];
  await choose(first.page, 'New chat');
  await first.page.getByLabel('User name').fill(ben.username);
  await first.page.getByRole('button', { name: 'Find' }).click();
  await first.page.getByRole('button', { name: 'To group' }).click();
  await first.page.getByLabel('Name of the group').fill('Garden');
  await first.page.getByRole('button', { name: 'Create group' }).click();
  await say(first.page, 'Who waters on Sunday?');
  await second.page.getByRole('link', { name: 'Garden' }).getByText('Ana: Who waters on Sunday?').waitFor();
  await open(second.page, 'Garden');
  await say(second.page, 'I do');
  await bubble(first.page, 'I do').getByText('Ben').first().waitFor();

  await choose(first.page, 'Members');
  const dialog = first.page.getByRole('dialog', { name: 'Members' });
  await dialog.getByLabel('User name').fill(cleo.username);
  await dialog.getByRole('button', { name: 'Add' }).click();
  await dialog.getByRole('list').getByText('Cleo').waitFor();
  await dialog.getByLabel('Name of the group').fill('Garden and kitchen');
  await dialog.getByRole('button', { name: 'Rename' }).click();
  await assertAccessible(first.page, 'the members of a group');
  await first.page.keyboard.press('Escape');
  await second.page.getByRole('log').getByText('Ana named the group “Garden and kitchen”').waitFor();
  await second.page.getByRole('log').getByText('Ana added Cleo').waitFor();
  await shoot(second.page, 'group');
  await choose(second.page, 'Members');
  await second.page.getByRole('button', { name: 'Leave the group' }).click();
  await second.page.getByText('Choose a chat, or start one.').waitFor();
  await first.page.getByRole('log').getByText('Ben left').waitFor();
  await first.visitor.leave();
  await second.visitor.leave();
});

test('it can be used without a mouse', async () => {
  const { ana, ben } = await pair('Hello');
  const { visitor, page } = await enter(ben);
  await page.getByRole('link', { name: 'Ana' }).waitFor();
  await page.getByLabel('Find a chat').focus();
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await field(page).waitFor();
  await page.keyboard.type('No mouse');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('was harmed');
  await page.keyboard.press('Enter');
  await ticked(page, 'No mouse', 'sent');
  assert.equal((await said(page)).at(-1), 'No mouse\nwas harmed');
  await page.keyboard.press('Escape');
  await page.getByText('Choose a chat, or start one.').waitFor();
  await page.getByRole('button', { name: 'Settings' }).focus();
  await page.keyboard.press('Enter');
  await page.getByRole('radio', { name: 'As the system' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.keyboard.press('ArrowRight');
  assert.equal(await page.evaluate(() => document.documentElement.dataset['theme']), 'dark');
  await assertAccessible(page, 'the settings, in the dark');
  await page.keyboard.press('Escape');
  assert.equal(await page.getByRole('dialog').count(), 0);
  await visitor.leave();
  assert.ok(ana);
});

test('logging out forgets, and a wrong password is told', async () => {
  const { ana } = await pair('A secret');
  const { visitor, page } = await enter(ana);
  await page.getByRole('link', { name: 'Ben' }).waitFor();
  await choose(page, 'Settings');
  await page.getByLabel('Your name, as others see it').fill('Ana Maria');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByRole('button', { name: 'Sign in', exact: true }).waitFor();
  await page.waitForFunction(() => localStorage.length === 0);
  assert.deepEqual(await page.evaluate(() => indexedDB.databases()), []);
  await page.reload();
  await signIn(page, ana);
  await page.getByRole('link', { name: 'Ben' }).waitFor();
  await visitor.leave();
});
