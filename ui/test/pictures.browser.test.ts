// The pictures of the README: a group and a few chats, on a desk and in a hand, by day and by night. They are
// kept with the other screenshots; docs/images has a copy.

import { test } from 'node:test';
import { shoot } from './support/browser.ts';
import { bubble, field, open, say, signIn, ticked } from './support/people.ts';
import type { Person } from './support/server.ts';
import { Stage } from './support/stage.ts';

const DESK = { width: 1180, height: 760 };
const HAND = { width: 390, height: 780 };

const stage = new Stage();

test('pictures of the chat', async () => {
  const [ana, ben, cleo] = [
    await stage.server.register('ana', 'Ana Quispe'),
    await stage.server.register('ben', 'Ben Okafor'),
    await stage.server.register('cleo', 'Cleo Marsh'),
  ];
  let drawn = 0;
  const tell = (person: Person, chat: number, text: string) =>
    stage.server.ask('POST', '/message/send', { chat, client_id: ++drawn, text }, person.token);
  const direct = async (person: Person): Promise<number> =>
    (await stage.server.ask('POST', '/chats', { kind: 'direct', user: person.user }, ana.token))['chat'] as number;
  const garden = { kind: 'group', title: 'Garden', members: [ben.user, cleo.user], client_id: 1 };
  const group = (await stage.server.ask('POST', '/chats', garden, ana.token))['chat'] as number;
  await tell(cleo, group, 'The beans are up');
  await tell(ben, group, 'Who waters on Sunday?');
  await tell(cleo, await direct(cleo), 'Shall I bring the ladder?');
  const chat = await direct(ben);
  await tell(ana, chat, 'Did the parcel from the valley arrive?');
  await tell(ana, chat, 'I asked the runner to leave it at the second house.');
  await tell(ben, chat, 'It did, this morning. Thank you!');
  await tell(ben, chat, 'The potatoes are wonderful, and there is a letter for you too. I will bring it on Sunday, if the weather holds.');

  for (const [light, colorScheme] of [['light', 'light'], ['dark', 'dark']] as const) {
    const other = await stage.enter({ viewport: HAND, colorScheme, deviceScaleFactor: 2 });
    const hand = await other.open('/');
    await signIn(hand, ben);
    await hand.getByRole('link', { name: 'Garden' }).waitFor();
    const visitor = await stage.enter({ viewport: DESK, colorScheme });
    const desk = await visitor.open('/');
    await signIn(desk, ana);
    await open(desk, 'Ben Okafor');
    await open(hand, 'Ana Quispe');
    const text = light === 'light' ? 'Sunday is perfect.' : 'Then I will make soup.';
    await say(desk, text);
    await ticked(desk, text, 'read');
    await field(hand).pressSequentially('See you th');
    await bubble(hand, text).waitFor();
    await desk.locator('.names').getByText('typing').waitFor();
    await shoot(desk, `chat-desktop-${light}`);
    await shoot(hand, `chat-phone-${light}`);
    await visitor.leave();
    await other.leave();
  }
});
