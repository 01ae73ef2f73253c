/** A loopback port whose connections go on to a unix socket: for kubectl, which cannot speak to one. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';

export interface SocketRelay {
  /** As `kubectl --server` takes it. */
  readonly url: string;
  close(): void;
}

export async function relayTo(socketPath: string): Promise<SocketRelay> {
  const server = createServer((client) => {
    const upstream = connect(socketPath);
    client.pipe(upstream).pipe(client);
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => void server.close(),
  };
}
