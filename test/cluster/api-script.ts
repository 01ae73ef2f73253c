/** An HTTP/2 server on loopback that answers requests as a test says: what an API server does when it is in trouble. */
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

export interface Asked {
  method: string;
  path: string;
  query: URLSearchParams;
  token: string;
}

export type Answer = (asked: Asked, response: Http2ServerResponse, request: Http2ServerRequest) => void;

export class ScriptedApi {
  readonly asked: Asked[] = [];
  readonly dir: string;
  readonly #server: ReturnType<typeof createSecureServer>;
  readonly #sockets = new Set<Socket>();
  connections = 0;
  answer: Answer = (_, response) => {
    response.writeHead(404).end();
  };

  private constructor(dir: string, server: ReturnType<typeof createSecureServer>) {
    this.dir = dir;
    this.#server = server;
    server.on('secureConnection', (socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    server.on('request', (request, response) => {
      const url = new URL(request.url, 'https://localhost');
      const asked = {
        method: request.method,
        path: url.pathname,
        query: url.searchParams,
        token: String(request.headers.authorization ?? '').replace('Bearer ', ''),
      };
      this.asked.push(asked);
      this.answer(asked, response, request);
    });
  }

  static async start(): Promise<ScriptedApi> {
    const dir = await mkdtemp(join(tmpdir(), 'roslet-api-'));
    const files = { key: join(dir, 'key.pem'), cert: join(dir, 'cert.pem') };
    await promisify(execFile)('openssl', [
      ...[
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '2',
      ],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ...['-keyout', files.key, '-out', files.cert],
    ]);
    const server = createSecureServer({ key: await readFile(files.key), cert: await readFile(files.cert) });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return new ScriptedApi(dir, server);
  }

  /** A kubeconfig whose token is read from a file. */
  async kubeconfig(token: string): Promise<string> {
    const { port } = this.#server.address() as AddressInfo;
    await writeFile(join(this.dir, 'token'), token);
    const path = join(this.dir, 'kubeconfig');
    await writeFile(
      path,
      `current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: "https://127.0.0.1:${port}", certificate-authority: cert.pem}}]
users: [{name: u, user: {tokenFile: token}}]
`,
    );
    return path;
  }

  /** As a power cut: nobody says goodbye. */
  cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutConnections();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.dir, { recursive: true });
  }
}

export function json(response: Http2ServerResponse, code: number, body: object, headers = {}): void {
  response.writeHead(code, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export const failure = (code: number, reason: string, message = reason) => ({
  kind: 'Status',
  apiVersion: 'v1',
  status: 'Failure',
  code,
  reason,
  message,
});
