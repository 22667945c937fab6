// Keeps what a client holds in IndexedDB, for several tabs at once. Owns the layout of the database; each
// `commit` is one transaction, so entries, ranges, heads and token stand or fall together.

import type { ConversationId, EntryFrame } from './frames.ts';
import type { ConversationRow, Meta, OutboxRow, Store, Tabs } from './store.ts';

const VERSION = 1;
const ME = 'me';

/** The database of one account on one server, such as `chat.example.org/4503599627370497`. */
export function idbStore(name: string): Store {
  const opened = open(name);
  opened.catch(() => undefined); // Whoever reads or writes first is told.
  const begin = async (names: readonly Table[], mode: IDBTransactionMode): Promise<IDBTransaction> =>
    (await opened).transaction(names, mode, { durability: 'strict' });
  return {
    load: async () => {
      const transaction = await begin(['meta', 'conversations', 'outbox'], 'readonly');
      const [meta, conversations, outbox] = await Promise.all([
        result<Meta | undefined>(transaction.objectStore('meta').get(ME)),
        result<ConversationRow[]>(transaction.objectStore('conversations').getAll()),
        result<OutboxRow[]>(transaction.objectStore('outbox').getAll()),
      ]);
      return { meta, conversations, outbox };
    },
    commit: async ({ reset, meta, conversations, entries, outbox, settled }) => {
      const transaction = await begin(['meta', 'conversations', 'entries', 'outbox'], 'readwrite');
      const table = (of: Table): IDBObjectStore => transaction.objectStore(of);
      try {
        if (reset) (['meta', 'conversations', 'entries'] as const).forEach((of) => table(of).clear());
        if (meta) table('meta').put(meta, ME);
        conversations.forEach((row) => table('conversations').put(row));
        entries.forEach((entry) => table('entries').put(entry));
        outbox.forEach((row) => table('outbox').put(row));
        settled.forEach(({ cmid }) => table('outbox').delete(cmid));
      } catch (error) {
        transaction.abort();
        throw error;
      }
      return finished(transaction);
    },
    entries: async (conversation, from, to, limit) => {
      const transaction = await begin(['entries'], 'readonly');
      return newest(transaction.objectStore('entries'), conversation, from, to, limit);
    },
    tabs: tabsOf(name),
  };
}

/** Forgets an account, after signing out. */
export async function deleteIdbStore(name: string): Promise<void> {
  await result(indexedDB.deleteDatabase(databaseOf(name)));
}

type Table = 'meta' | 'conversations' | 'entries' | 'outbox';

const databaseOf = (name: string): string => `chasqui ${name}`;

function open(name: string): Promise<IDBDatabase> {
  const request = indexedDB.open(databaseOf(name), VERSION);
  request.onupgradeneeded = () => {
    const database = request.result;
    database.createObjectStore('meta');
    database.createObjectStore('conversations', { keyPath: 'id' });
    database.createObjectStore('entries', { keyPath: ['conversation', 'sequence'] });
    database.createObjectStore('outbox', { keyPath: 'cmid' });
  };
  return result(request).then((database) => {
    // Another tab deletes it or has a newer layout: let it.
    database.onversionchange = () => database.close();
    return database;
  });
}

function newest(
  table: IDBObjectStore,
  conversation: ConversationId,
  from: number,
  to: number,
  limit: number,
): Promise<readonly EntryFrame[]> {
  return new Promise((resolve, reject) => {
    const found: EntryFrame[] = [];
    if (from > to) return resolve(found);
    const request = table.openCursor(IDBKeyRange.bound([conversation, from], [conversation, to]), 'prev');
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (cursor) found.push(cursor.value as EntryFrame);
      if (!cursor || found.length >= limit) resolve(found);
      else cursor.continue();
    };
    return undefined;
  });
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function finished(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}

/** Undefined where there are no locks: then nothing is shared. */
function tabsOf(name: string): Tabs | undefined {
  const locks = (globalThis.navigator as Navigator | undefined)?.locks;
  if (!locks) return undefined;
  const channel = new BroadcastChannel(databaseOf(name));
  return {
    lead: () =>
      new Promise((resolve, reject) => {
        // The lock is held until the promise that is returned in it resolves, or the tab ends.
        locks
          .request(databaseOf(name), () => new Promise<void>((release) => resolve(release)))
          .catch(reject);
      }),
    post: (message) => channel.postMessage(message),
    listen: (hear) => {
      channel.onmessage = ({ data }) => hear(data);
      return () => channel.close();
    },
  };
}
