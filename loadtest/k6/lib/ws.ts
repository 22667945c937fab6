// The WebSocket of k6, wherever it lives in this version: `k6/websockets` since 2026, before that
// only `k6/experimental/websockets`, which newer versions deprecate.

/** What is used of it. k6 1.1 shows no close code. */
export interface Socket {
  binaryType: string;
  readonly readyState: number;
  onopen: () => void;
  onmessage: (event: { readonly data: ArrayBuffer }) => void;
  onerror: (event: { readonly error?: string }) => void;
  onclose: () => void;
  send(data: ArrayBuffer): void;
  close(): void;
}

type SocketClass = new (
  url: string,
  protocols: null,
  params: { readonly headers: Readonly<Record<string, string>> },
) => Socket;

declare const require: (name: string) => { readonly WebSocket: SocketClass };

function load(): SocketClass {
  try {
    return require('k6/websockets').WebSocket;
  } catch {
    return require('k6/experimental/websockets').WebSocket;
  }
}

const WebSocket = load();

/** Whether it takes messages; `send` throws while it does not, which would end the iteration. */
export function isOpen(socket: Socket): boolean {
  return socket.readyState === 1;
}

/** Opens a socket for binary messages. k6 takes the subprotocol as a header. */
export function open(url: string, subprotocol: string): Socket {
  const socket = new WebSocket(url, null, { headers: { 'Sec-WebSocket-Protocol': subprotocol } });
  socket.binaryType = 'arraybuffer';
  return socket;
}
