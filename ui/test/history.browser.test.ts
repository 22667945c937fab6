// A log of 10,000 messages is read back to its beginning: nothing is left out, nothing jumps.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { shoot } from './support/browser.ts';
import { bubble, open, signIn } from './support/people.ts';
import { seed } from './support/seed.ts';
import { Stage } from './support/stage.ts';

const MESSAGES = 10_000;

const stage = new Stage();

/** What is in sight first, and where it is. */
interface Sight {
  readonly text: string;
  readonly top: number;
}

interface Scrolled {
  readonly before: Sight;
  readonly after: Sight;
  /** All that is drawn, before and after. */
  readonly drawn: readonly (readonly string[])[];
  /** Whether there is no further to scroll. */
  readonly isDone: boolean;
}

/** Scrolls to the first or the last that is drawn; tells where what was in sight is once more has been drawn. */
function scroll(page: Page, to: 'first' | 'last'): Promise<Scrolled> {
  return page.evaluate(async (to) => {
    const box = document.querySelector('.scroll');
    if (!box) throw new Error('there is no log');
    const texts = (): string[] => [...box.querySelectorAll('.text')].map((text) => text.textContent ?? '');
    const drawn = [texts()];
    box.scrollTop = to === 'first' ? 0 : box.scrollHeight;
    const top = box.getBoundingClientRect().top;
    const seen = [...box.querySelectorAll('.bubble')].find((line) => line.getBoundingClientRect().bottom > top);
    if (!seen) throw new Error('nothing is in sight');
    const look = (): Sight => ({ text: seen.querySelector('.text')?.textContent ?? '', top: seen.getBoundingClientRect().top });
    const before = look();
    const isDone = (): boolean =>
      to === 'first' ? box.scrollTop === 0 && !box.querySelector('.older') : document.querySelector('.to-end') === null;
    for (let frame = 0; frame < 20 && !isDone(); frame++) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      const distance = to === 'first' ? box.scrollTop : box.scrollHeight - box.scrollTop - box.clientHeight;
      if (distance > box.clientHeight) break;
    }
    return { before, after: look(), drawn: [...drawn, texts()], isDone: isDone() };
  }, to);
}

/** Scrolls as far as there is something; what was seen, by its number. */
async function readThrough(page: Page, to: 'first' | 'last', expected: readonly string[]): Promise<Set<number>> {
  const seen = new Set<number>();
  for (let steps = 1; ; steps++) {
    const { before, after, drawn, isDone } = await scroll(page, to);
    assert.ok(Math.abs(before.top - after.top) < 1, `${before.text} jumps from ${before.top} to ${after.top} in step ${steps}`);
    for (const texts of drawn) {
      const from = Number(/^message (\d+)/.exec(texts[0] ?? '')?.[1]) - 1;
      assert.deepEqual(texts, expected.slice(from, from + texts.length), `a hole in step ${steps}`);
      texts.forEach((_, i) => seen.add(from + i));
    }
    if (isDone) return seen;
  }
}

test('10,000 messages are read back, and on again, without a hole and without a jump', async () => {
  const [ana, ben] = [await stage.server.register('ana', 'Ana'), await stage.server.register('ben', 'Ben')];
  const { chat } = await stage.server.ask('POST', '/chats', { kind: 'direct', user: ben.user }, ana.token);
  const texts = Array.from({ length: MESSAGES }, (_, i) => `message ${i + 1} `.padEnd(20 + (i * 37) % 300, 'so '));
  const visitor = await stage.enter({ viewport: { width: 500, height: 640 } });
  const page = await visitor.open('/');
  await seed(page, ana.token, chat as number, texts);
  await signIn(page, ben);
  await open(page, 'Ana');
  await bubble(page, `message ${MESSAGES} `).waitFor();
  const back = await readThrough(page, 'first', texts);
  assert.deepEqual(texts.filter((_, i) => !back.has(i)), []);
  await shoot(page, 'the-beginning');
  assert.equal((await readThrough(page, 'last', texts)).size, MESSAGES);
  await bubble(page, `message ${MESSAGES} `).waitFor();
  await visitor.leave();
});
