// The service worker: keeps the chat page and what belongs to it, so that it opens without a network. What
// is said and who says it is none of its business: it leaves every request to the API alone.

/** The document and its parts, set by the build. */
declare const PARTS: readonly string[];
/** Changes whenever one of them does. */
declare const VERSION: string;

interface Lifetime extends Event {
  waitUntil(done: Promise<unknown>): void;
}

interface Asked extends Lifetime {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}

const CACHE = `chasqui ${VERSION}`;

async function keep(): Promise<void> {
  const cache = await caches.open(CACHE);
  await cache.addAll(PARTS);
}

async function forgetOlder(): Promise<void> {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith('chasqui ') && name !== CACHE).map((name) => caches.delete(name)));
}

/** The newest document there is; the one that is kept where none can be had. */
async function document(request: Request): Promise<Response> {
  const kept = (): Promise<Response | undefined> => caches.match('/', { ignoreSearch: true });
  try {
    const answer = await fetch(request);
    return answer.ok ? answer : ((await kept()) ?? answer);
  } catch (error) {
    const answer = await kept();
    if (answer) return answer;
    throw error;
  }
}

addEventListener('install', (event) => (event as Lifetime).waitUntil(keep()));
addEventListener('activate', (event) => (event as Lifetime).waitUntil(forgetOlder()));
addEventListener('fetch', (event) => {
  const asked = event as Asked;
  const { pathname, origin } = new URL(asked.request.url);
  if (asked.request.method !== 'GET' || origin !== location.origin) return;
  if (pathname === '/') asked.respondWith(document(asked.request));
  else if (PARTS.includes(pathname)) asked.respondWith(caches.match(pathname).then((kept) => kept ?? fetch(asked.request)));
});

export {};
