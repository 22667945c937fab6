// The first chat of the README runs as it stands there, but for where the package lies.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { ServerProcess } from './model/server_process.ts';

test('the first chat of the README', async () => {
  const [, snippet = ''] = /```js\n(.*?)```/s.exec(readFileSync('client/README.md', 'utf8')) ?? [];
  const lines = snippet.trim().split('\n').filter((line) => line !== '');
  assert.ok(lines.length <= 20, `a first chat takes ${lines.length} lines`);
  const script = 'client/out/first_chat.mjs';
  const placed = snippet.replace("'@chasqui/client'", "'./src/index.js'").replace("'@chasqui/client/rest'", "'./src/rest.js'");
  writeFileSync(script, placed);
  const server = await ServerProcess.start('--dev');
  try {
    const { stdout, stderr } = spawnSync('node', [script], {
      env: { ...process.env, CHASQUI_URL: server.url },
      encoding: 'utf8',
      timeout: 60_000,
    });
    assert.equal(stderr, '');
    // `online` is told a second time when all is synced, unless WELCOME and SYNCED came in one message.
    const told = stdout.trim().split('\n').filter((line, at, all) => line !== all[at - 1]);
    assert.deepEqual(told, ['connecting', 'online', "stored at 1 [ 'sent' ]", 'closed']);
  } finally {
    await server.end();
  }
});
