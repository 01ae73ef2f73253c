/**
 * A registry on loopback that serves the test images by the OCI distribution API, with what real ones do to a client:
 * ask for credentials, be slow, fail.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestImage } from './images.ts';
import { untar } from './tar.ts';

export interface TestRegistry {
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  /** `METHOD path` of every request, oldest first. */
  readonly requests: string[];
  /** Ask for these from now on; undefined: let anyone in. */
  requireCredentials(credentials: { username: string; password: string } | undefined): void;
  /** What happens to requests for layers from now on. */
  disturb(disturbance: Disturbance): void;
  stop(): Promise<void>;
}

/** `stall`: the answer begins and never goes on. `break`: the connection is cut in the middle. */
export type Disturbance = 'none' | 'stall' | 'break' | 'unavailable';

interface Blob {
  mediaType: string;
  content: Buffer;
}

interface Index {
  manifests: { digest: string; mediaType: string; annotations: Record<string, string> }[];
}

export async function startRegistry(images: readonly TestImage[]): Promise<TestRegistry> {
  const blobs = new Map<string, Blob>();
  const tags = new Map<string, string>();
  for (const { archive, name } of images) {
    const files = untar(readFileSync(archive));
    const index = JSON.parse(files.get('index.json')?.toString() ?? '') as Index;
    for (const [path, content] of files) {
      const hex = /^blobs\/sha256\/(\w+)$/.exec(path)?.[1];
      const manifest = index.manifests.find(({ digest }) => digest === `sha256:${hex}`);
      if (hex) {
        const mediaType = manifest?.mediaType ?? 'application/octet-stream';
        blobs.set(`sha256:${hex}`, { mediaType, content });
      }
    }
    const [, repository, tag] = /^[^/]+\/(.+):([^:]+)$/.exec(name) ?? [];
    tags.set(`${repository}:${tag}`, index.manifests[0]?.digest ?? '');
  }

  const requests: string[] = [];
  let wanted: string | undefined;
  let disturbance: Disturbance = 'none';

  const answer = (request: IncomingMessage, response: ServerResponse) => {
    const path = new URL(request.url ?? '/', 'http://registry').pathname;
    requests.push(`${request.method} ${path}`);
    if (wanted !== undefined && request.headers.authorization !== wanted) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
      return;
    }
    if (path === '/v2/') {
      response.writeHead(200).end();
      return;
    }
    const [, repository, kind, reference] = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(path) ?? [];
    const digest = tags.get(`${repository}:${reference}`) ?? reference ?? '';
    const blob = blobs.get(digest);
    if (!blob) {
      response.writeHead(404).end(JSON.stringify({ errors: [{ code: 'MANIFEST_UNKNOWN' }] }));
      return;
    }
    if (kind === 'blobs' && disturbance === 'unavailable') {
      response.writeHead(503).end();
      return;
    }
    response.writeHead(200, {
      'Content-Type': blob.mediaType,
      'Content-Length': blob.content.length,
      'Docker-Content-Digest': digest,
    });
    if (request.method === 'HEAD') response.end();
    else if (kind === 'blobs' && disturbance !== 'none') {
      response.write(blob.content.subarray(0, blob.content.length / 2), () => {
        if (disturbance === 'break') response.destroy();
      });
    } else response.end(blob.content);
  };

  const server = createServer(answer);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    requireCredentials: (credentials) => {
      wanted =
        credentials &&
        `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`;
    },
    disturb: (next) => {
      disturbance = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
