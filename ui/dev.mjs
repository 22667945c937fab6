// For working on the pages: serves them from `dist`, made anew at every request of a document, and passes
// everything else on to a running server.
//
//   node dev.mjs [http://127.0.0.1:8080] [port]

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = dirname(fileURLToPath(import.meta.url));
const server = new URL(process.argv[2] ?? 'http://127.0.0.1:8080');
const port = Number(process.argv[3] ?? 8081);
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };
const DOCUMENTS = { '/': 'chat.html', '/console': 'console.html' };

createServer(async (asked, answer) => {
  const path = asked.url.split('?')[0];
  const document = DOCUMENTS[path];
  if (document) await promisify(execFile)('node', ['build.mjs'], { cwd: root }).catch((error) => console.error(error.stderr));
  const file = document ?? path.slice(1);
  const bytes = await readFile(join(root, 'dist', file)).catch(() => undefined);
  if (bytes && asked.method === 'GET') return answer.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? '' }).end(bytes);
  const { method, headers, url } = asked;
  const passed = request(new URL(url, server), { method, headers }, (from) => {
    answer.writeHead(from.statusCode, from.headers);
    from.pipe(answer);
  });
  passed.on('error', () => answer.destroy());
  asked.pipe(passed);
})
  .on('upgrade', (asked, socket, head) => {
    const through = connect(Number(server.port), server.hostname, () => {
      const lines = asked.rawHeaders.map((value, i) => (i % 2 ? `${value}\r\n` : `${value}: `));
      through.write(`GET ${asked.url} HTTP/1.1\r\n${lines.join('')}\r\n`);
      through.write(head);
      through.pipe(socket).pipe(through);
    });
    for (const end of [through, socket]) end.on('error', () => socket.destroy(through.destroy()));
  })
  .listen(port, '127.0.0.1', () => console.log(`http://127.0.0.1:${port}`));
