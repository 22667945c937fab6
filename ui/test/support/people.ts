// What people do with the chat page, in their words.

import type { Locator, Page } from 'playwright-core';
import type { Person } from './server.ts';

export const field = (page: Page): Locator => page.getByRole('textbox', { name: /^Message to/ });
export const bubbles = (page: Page): Locator => page.locator('.bubble');
/** The bubble that says so. */
export const bubble = (page: Page, text: string): Locator => page.locator('.bubble', { hasText: text });
export const pill = (page: Page): Locator => page.locator('.pill');

export async function signIn(page: Page, { username, password }: Person): Promise<void> {
  await page.getByLabel('User name').fill(username);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Sign in', exact: true }).click();
  await page.getByRole('heading', { name: 'Chats' }).waitFor();
}

export async function open(page: Page, name: string): Promise<void> {
  const title = page.locator('.title').getByText(name, { exact: true });
  await page.getByRole('navigation', { name: 'Chats' }).getByRole('link').filter({ has: title }).click();
  await field(page).waitFor();
}

export async function say(page: Page, text: string): Promise<void> {
  await field(page).fill(text);
  await field(page).press('Enter');
}

/** Waits until one's own message is that far. */
export async function ticked(page: Page, text: string, tick: 'waiting to be sent' | 'sent' | 'delivered' | 'read'): Promise<void> {
  await bubble(page, text).getByRole('img', { name: tick, exact: true }).waitFor();
}

/** Everything that is said, in order. */
export const said = (page: Page): Promise<string[]> => page.locator('.bubble .text').allTextContents();

export async function choose(page: Page, dialog: 'New chat' | 'Settings' | 'Members'): Promise<void> {
  await page.getByRole('button', { name: dialog, exact: true }).click();
  await page.getByRole('dialog', { name: dialog }).waitFor();
}
