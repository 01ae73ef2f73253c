/** Switches a connection to SPDY/3.1: by itself, or through the WebSocket by which newer clients tunnel it. */
import type { Duplex } from 'node:stream';
import { badRequest } from '../errors.ts';
import type { UpgradeExchange } from '../http.ts';

export const isSpdyUpgrade = ({ req }: UpgradeExchange): boolean =>
  req.headers.upgrade?.toLowerCase() === 'spdy/3.1';

/** The bare connection, on which SPDY is spoken from now on. @throws ApiError BadRequest while that can be told */
export function acceptSpdy({ req, socket, head }: UpgradeExchange, protocol: string): Duplex {
  const offered = (req.headersDistinct['x-stream-protocol-version'] ?? []).flatMap((line) =>
    line.split(/, */),
  );
  if (!offered.includes(protocol)) {
    throw badRequest(`none of the protocols [${offered.join(', ')}] is known: use ${protocol}`);
  }
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
      `X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return socket;
}

/** The same inside of a WebSocket's binary messages. @throws ApiError BadRequest */
export async function acceptSpdyTunnel(
  { req, socket, head, signal }: UpgradeExchange,
  protocol: string,
): Promise<Duplex> {
  const tunnel = `SPDY/3.1+${protocol}`;
  const offered = (req.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim());
  if (!offered.includes(tunnel)) {
    throw badRequest(`none of the subprotocols [${offered.join(', ')}] is known: use ${tunnel}`);
  }
  // The name has a slash, which no subprotocol may have: `ws` refuses it, so it is answered past it.
  delete req.headers['sec-websocket-protocol'];
  const { createWebSocketStream, WebSocketServer } = await import('ws');
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
  });
  server.on('headers', (headers) => headers.push(`Sec-WebSocket-Protocol: ${tunnel}`));
  return await new Promise((resolve) => {
    server.handleUpgrade(req, socket, head, (accepted) => {
      signal.addEventListener('abort', () => accepted.terminate(), { once: true });
      const connection = createWebSocketStream(accepted);
      // Told where the connection is read; without a listener it would end the agent.
      connection.on('error', () => undefined);
      resolve(connection);
    });
  });
}

const maxMessageBytes = 16 * 1024 * 1024;
