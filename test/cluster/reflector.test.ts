/** Client and reflector against an API server that does what API servers do in trouble. */
import { readFile, writeFile } from 'node:fs/promises';
import type { Http2ServerResponse } from 'node:http2';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ConfigMap } from '../../src/api/core.gen.ts';
import { apiPath, KubeClient } from '../../src/cluster/client.ts';
import { apiConnection } from '../../src/cluster/connection.ts';
import { ApiStatusError, ApiUnreachableError } from '../../src/cluster/errors.ts';
import { readKubeconfig } from '../../src/cluster/kubeconfig.ts';
import { reflect } from '../../src/cluster/reflector.ts';
import { silentLogger } from '../../src/log.ts';
import { until } from '../agent.ts';
import { type Asked, failure, json, ScriptedApi } from './api-script.ts';

const path = apiPath({ resource: 'configmaps', namespace: 'default' });
const object = (name: string, resourceVersion: string, data = {}): ConfigMap => ({
  metadata: { name, namespace: 'default', resourceVersion },
  data,
});
const event = (type: string, of: object) => `${JSON.stringify({ type, object: of })}\n`;
const isWatch = ({ query }: Asked) => query.get('watch') === 'true';

let api: ScriptedApi;
let client: KubeClient;
let ending: AbortController;
let running: Promise<void> | undefined;
/** Names of what the copy held after each change. */
let seen: string[][];
let problems: (Error | undefined)[];

beforeEach(async () => {
  api = await ScriptedApi.start();
  client = new KubeClient(
    await readKubeconfig(await api.kubeconfig('first'), new AbortController().signal),
    'test',
  );
  ending = new AbortController();
  seen = [];
  problems = [];
});

afterEach(async () => {
  ending.abort();
  await running;
  running = undefined;
  client.close();
  await api.stop();
});

function start(): void {
  running = reflect<ConfigMap>(
    {
      client,
      path,
      query: { fieldSelector: 'metadata.name!=x' },
      onChange: (items) => seen.push([...items.values()].map((item) => item.metadata?.name ?? '')),
      onHealth: (error) => problems.push(error),
      log: silentLogger(),
    },
    ending.signal,
  );
}

const list = (response: Http2ServerResponse, resourceVersion: string, ...items: ConfigMap[]) =>
  json(response, 200, { metadata: { resourceVersion }, items });

describe('a reflector', () => {
  it('lists page by page, then follows the watch', async () => {
    api.answer = (asked, response) => {
      if (isWatch(asked)) {
        response.write(event('MODIFIED', object('a', '6')) + event('DELETED', object('b', '7')));
        response.write(event('ADDED', object('c', '8')));
      } else if (asked.query.get('continue') === 'more') list(response, '5', object('b', '2'));
      else
        json(response, 200, {
          metadata: { resourceVersion: '5', continue: 'more' },
          items: [object('a', '1')],
        });
    };
    start();
    await until('all came', () => seen.at(-1)?.join() === 'a,c');
    expect(seen[0]).toEqual(['a', 'b']);
    const watch = api.asked.find(isWatch);
    expect(watch?.query.get('resourceVersion')).toBe('5');
    expect(watch?.query.get('allowWatchBookmarks')).toBe('true');
    expect(watch?.query.get('fieldSelector')).toBe('metadata.name!=x');
    expect(api.connections).toBe(1);
  });

  it('goes on from the last bookmark when the server ends a watch', async () => {
    api.answer = (asked, response) => {
      if (!isWatch(asked)) list(response, '5', object('a', '1'));
      else if (asked.query.get('resourceVersion') === '5') {
        response.end(event('BOOKMARK', { metadata: { resourceVersion: '9' } }));
      } else response.write(event('ADDED', object('b', '10')));
    };
    start();
    await until('the second watch told', () => seen.at(-1)?.join() === 'a,b');
    expect(api.asked.filter((asked) => !isWatch(asked))).toHaveLength(1);
    expect(api.asked.filter(isWatch).map((w) => w.query.get('resourceVersion'))).toEqual(['5', '9']);
  });

  it.each([
    ['as the answer', (response: Http2ServerResponse) => json(response, 410, failure(410, 'Expired'))],
    [
      'in the stream',
      (response: Http2ServerResponse) => response.write(event('ERROR', failure(410, 'Expired'))),
    ],
  ])('lists again when its version is too old, told %s', async (_, expire) => {
    let lists = 0;
    api.answer = (asked, response) => {
      if (!isWatch(asked)) {
        lists += 1;
        list(response, `${lists}00`, object(lists === 1 ? 'old' : 'new', '1'));
      } else if (asked.query.get('resourceVersion') === '100') {
        expire(response);
      } else response.write(event('BOOKMARK', { metadata: { resourceVersion: '201' } }));
    };
    start();
    await until('the new one is there', () => seen.at(-1)?.join() === 'new');
    expect(problems.filter((problem) => problem !== undefined)).toEqual([]);
  });

  it('keeps what it has while the server is gone, and lists when it is back', async () => {
    api.answer = (asked, response) => {
      if (isWatch(asked)) response.write(event('ADDED', object('b', '6')));
      else list(response, '5', object('a', '1'));
    };
    start();
    await until('a and b', () => seen.at(-1)?.join() === 'a,b');
    api.answer = (_, response) => response.stream.session?.destroy();
    api.cutConnections();
    await until('the trouble is told', () => problems.at(-1) instanceof ApiUnreachableError);
    expect(seen.at(-1)).toEqual(['a', 'b']);
    // Restored from a backup: versions are lower than what was seen.
    api.answer = (asked, response) => {
      if (!isWatch(asked)) list(response, '3', object('c', '2'));
    };
    await until('what is there now', () => seen.at(-1)?.join() === 'c');
    expect(problems.at(-1)).toBeUndefined();
  });

  it.each([
    [403, 'Forbidden'],
    [429, 'TooManyRequests'],
    [500, 'InternalError'],
    [503, 'ServiceUnavailable'],
  ])('tries again after %i', async (code, reason) => {
    let tries = 0;
    api.answer = (asked, response) => {
      if (isWatch(asked)) return;
      tries += 1;
      if (tries < 3) json(response, code, failure(code, reason), { 'retry-after': '1' });
      else list(response, '5', object('a', '1'));
    };
    start();
    await until('the list came', () => seen.at(-1)?.join() === 'a');
    expect(problems[0]).toMatchObject({ code, reason, retryAfterMs: 1000 });
  });
});

it.each([
  [403, 'Forbidden'],
  [410, 'Expired'],
])('a reflector asks less and less often where a list works and a watch answers %i', async (code, reason) => {
  api.answer = (asked, response) => {
    if (isWatch(asked)) json(response, code, failure(code, reason));
    else list(response, '5', object('a', '1'));
  };
  const waits: number[] = [];
  const log = { ...silentLogger(), debug: ({ retryInMs }: { retryInMs: number }) => waits.push(retryInMs) };
  running = reflect<ConfigMap>({ client, path, onChange: () => undefined, log: log as never }, ending.signal);
  await until('it waits for long', () => waits.some((ms) => ms >= 2000));
});

describe('the client', () => {
  const { signal } = new AbortController();

  it('tells what the server said', async () => {
    api.answer = (_, response) =>
      json(response, 409, failure(409, 'Conflict', 'the object has been modified'));
    const error = await client
      .request({ method: 'PUT', path: `${path}/a`, body: object('a', '1') }, signal)
      .catch((err: unknown) => err);
    expect(error).toBeInstanceOf(ApiStatusError);
    expect(error).toMatchObject({
      code: 409,
      reason: 'Conflict',
      message: 'PUT /api/v1/namespaces/default/configmaps/a: the object has been modified',
    });
  });

  it('reads its token anew when it is not taken any more', async () => {
    api.answer = ({ token }, response) => {
      if (token === 'second') json(response, 200, { ok: true });
      else json(response, 401, failure(401, 'Unauthorized'));
    };
    await expect(client.get('/version', signal)).rejects.toMatchObject({ code: 401 });
    await writeFile(join(api.dir, 'token'), 'second\n');
    expect(await client.get('/version', signal)).toEqual({ ok: true });
  });

  it('sends again at once what a server that says goodbye has not begun with', async () => {
    api.answer = ({ method, path: asked }, response, request) => {
      if (asked === '/long') return response.writeHead(200).write('{"a":');
      if (api.connections > 1) return json(response, 200, { method });
      // The first stream of the connection is the last that it goes on with.
      request.stream.session?.goaway(0, 1);
    };
    const connection = apiConnection(
      await readKubeconfig(await api.kubeconfig('t'), new AbortController().signal),
    );
    const long = await connection.request({ method: 'GET', path: '/long', headers: {} }, ending.signal);
    const answer = await connection.request(
      { method: 'POST', path: '/p', headers: {}, body: '{}' },
      ending.signal,
    );
    expect(answer.status).toBe(200);
    expect([api.connections, long.body.destroyed]).toEqual([2, false]);
    connection.close();
  });

  it('does not wait for ever for an answer, nor for the rest of one', async () => {
    api.answer = () => undefined;
    const request = { path: '/version', timeoutMs: 50 };
    await expect(client.request(request, signal)).rejects.toThrow(/no answer within 0.05 s/);
    api.answer = (_, response) => {
      response.write('{"half":');
    };
    await expect(client.request(request, signal)).rejects.toBeInstanceOf(ApiUnreachableError);
  });

  it('takes no half answer for a whole one', async () => {
    api.answer = (_, response) => {
      response.write('{"complete": "in itself"}');
      setTimeout(() => api.cutConnections(), 20);
    };
    await expect(client.get('/version', signal)).rejects.toBeInstanceOf(ApiUnreachableError);
  });

  it('takes a whole answer for one that it begins to read only when the server is done with it', async () => {
    const access = await readKubeconfig(await api.kubeconfig('first'), new AbortController().signal);
    const real = apiConnection(access);
    const busy = new KubeClient(access, 'test', undefined, {
      ...real,
      request: async (request, signal) => {
        const answer = await real.request(request, signal);
        await until('the stream is closed', () => answer.body.closed);
        return answer;
      },
    });
    const data = { large: 'x'.repeat(200_000) };
    api.answer = (_, response) => json(response, 200, object('a', '1', data));
    expect((await busy.get<ConfigMap>(path, ending.signal)).data).toEqual(data);
    api.answer = (_, response) => response.end(event('ADDED', object('a', '1')));
    const types: string[] = [];
    for await (const batch of busy.watch(path, {}, 60, ending.signal))
      types.push(...batch.map((e) => e.type));
    expect(types).toEqual(['ADDED']);
    busy.close();
  });

  it('ends at once when it is told to', async () => {
    api.answer = () => undefined;
    const controller = new AbortController();
    const request = client.get('/version', controller.signal);
    await until('it is asked', () => api.asked.length === 1);
    controller.abort(new Error('enough'));
    await expect(request).rejects.toThrow('enough');
  });

  it('goes on with all that waits as soon as one request reaches the server again', async () => {
    const trusted = join(api.dir, 'cert.pem');
    const right = await readFile(trusted);
    const other = await ScriptedApi.start();
    await writeFile(trusted, await readFile(join(other.dir, 'cert.pem')));
    await other.stop();
    api.answer = (_, response) => json(response, 200, { ok: true });
    await expect(client.get('/version', signal)).rejects.toThrow(/cannot be reached/);
    const hour = 3600_000;
    let left = 3;
    for (let n = left; n > 0; n -= 1) void client.untilRetry(hour, ending.signal).then(() => (left -= 1));
    await writeFile(trusted, right);
    await client.urgent().get('/version', signal);
    await until('all go on', () => left === 0);
  });

  it('says so when the server is not whom it trusts', async () => {
    const other = await ScriptedApi.start();
    try {
      const file = await other.kubeconfig('t');
      await writeFile(join(other.dir, 'cert.pem'), await readFile(join(api.dir, 'cert.pem')));
      const stranger = new KubeClient(await readKubeconfig(file, new AbortController().signal), 'test');
      await expect(stranger.get('/version', signal)).rejects.toThrow(/cannot be reached: .*certificate/);
      stranger.close();
    } finally {
      await other.stop();
    }
  });
});
