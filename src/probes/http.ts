/**
 * HTTP GET as probes and lifecycle hooks send it: a new connection each time, no certificate check, the kubelet's
 * default headers, redirects followed on the same host only, at most 10 KiB of the answer read.
 */
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { connect as connectTcp, isIP } from 'node:net';
import { apiRelease, type HTTPGetAction } from '../api/core.gen.ts';
import type { AnyContainer } from '../pods/identity.ts';
import { startDeadline } from './deadline.ts';
import { networkErrorText } from './network-error.ts';
import type { AttemptOptions, ProbeOutcome } from './outcome.ts';
import { hostAndPort, resolvePort, targetHost } from './port.ts';

export interface HttpAnswer {
  statusCode: number;
  body: string;
}

/** No answer came; the message is what the kubelet would say. */
export class HttpGetError extends Error {
  override readonly name = 'HttpGetError';
  readonly timedOut: boolean;
  constructor(message: string, timedOut = false) {
    super(message);
    this.timedOut = timedOut;
  }
}

export interface HttpTarget {
  container: AnyContainer;
  podIp: string;
}

export async function probeHttp(
  action: HTTPGetAction,
  target: HttpTarget,
  options: AttemptOptions,
): Promise<ProbeOutcome> {
  let answer: HttpAnswer;
  try {
    answer = await httpGet(action, target, 'probe', options);
  } catch (error) {
    if (error instanceof HttpGetError) {
      return { result: 'failure', output: error.message, ...(error.timedOut ? { timedOut: true } : {}) };
    }
    throw error;
  }
  const { statusCode, body } = answer;
  if (statusCode >= 200 && statusCode < 300) return { result: 'success', output: body };
  if (statusCode >= 300 && statusCode < 400) {
    return { result: 'warning', output: `Probe terminated redirects, Response body: ${body}` };
  }
  // Without the body: it may hold what the reader of an event must not see.
  return { result: 'failure', output: `HTTP probe failed with statuscode: ${statusCode}` };
}

/**
 * @throws HttpGetError when no answer came in time.
 * @throws PortError, Error when there is no port or no address to send to.
 */
export async function httpGet(
  action: HTTPGetAction,
  { container, podIp }: HttpTarget,
  purpose: 'probe' | 'lifecycle',
  { timeoutMs, signal }: AttemptOptions,
): Promise<HttpAnswer> {
  const host = targetHost(action.host, podIp);
  let url: Url = {
    scheme: action.scheme?.toLowerCase() === 'https' ? 'https' : 'http',
    host,
    port: resolvePort(action.port, container),
    path: requestPath(action.path ?? '/'),
  };
  const headers = requestHeaders(action, purpose);
  const deadlineMs = performance.now() + timeoutMs;
  for (let redirects = 0; redirects < maxRedirects; redirects += 1) {
    const answer = await getOnce(url, headers, deadlineMs - performance.now(), signal);
    const next = redirectTarget(answer, url);
    if (next?.host !== host) return answer;
    url = next;
  }
  throw new HttpGetError(`Get "${formatUrl(url)}": stopped after ${maxRedirects} redirects`);
}

interface Url {
  scheme: 'http' | 'https';
  host: string;
  port: number;
  /** With the query. */
  path: string;
}

const maxRedirects = 10;
const maxBodyBytes = 10 * 1024;
const defaultPorts = { http: 80, https: 443 } as const;
const redirectCodes: readonly number[] = [301, 302, 303, 307, 308];

const formatUrl = ({ scheme, host, port, path }: Url): string =>
  `${scheme}://${hostAndPort(host, port)}${path}`;

/** The path as written, but for what may not stand in a request line. */
function requestPath(path: string): string {
  const rooted = path.startsWith('/') ? path : `/${path}`;
  return rooted
    .replace(/#.*$/s, '')
    .toWellFormed()
    .replace(/[^\x21-\x7e]+/g, encodeURIComponent);
}

/** A default header is left out when the user gives it an empty value. */
function requestHeaders(action: HTTPGetAction, purpose: string): OutgoingHttpHeaders {
  const headers = new Map<string, string[]>([
    ['user-agent', [`kube-${purpose}/${apiRelease}`]],
    ['accept', ['*/*']],
  ]);
  const given = Map.groupBy(action.httpHeaders ?? [], ({ name }) => name.toLowerCase());
  for (const [name, list] of given)
    headers.set(
      name,
      list.map(({ value }) => value ?? ''),
    );
  for (const name of ['user-agent', 'accept', 'host'])
    if (headers.get(name)?.[0] === '') headers.delete(name);
  const host = headers.get('host')?.[0];
  return { ...Object.fromEntries(headers), ...(host !== undefined && { host }), connection: 'close' };
}

interface RawAnswer extends HttpAnswer {
  location: string | undefined;
}

function getOnce(
  url: Url,
  headers: OutgoingHttpHeaders,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<RawAnswer> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const { host, port, path } = url;
    let awaiting = 'awaiting headers';
    const request = httpRequest({
      host: hostName(host),
      port,
      path,
      headers,
      defaultPort: defaultPorts[url.scheme],
      createConnection: () => openConnection(url),
    });
    const finish = () => {
      deadline.clear();
      signal.removeEventListener('abort', abort);
      request.destroy();
    };
    const fail = (text: string, timedOut = false) => {
      finish();
      reject(new HttpGetError(`Get "${formatUrl(url)}": ${text}`, timedOut));
    };
    const deadline = startDeadline(timeoutMs, () =>
      fail(`context deadline exceeded (Client.Timeout exceeded while ${awaiting})`, true),
    );
    const abort = () => {
      finish();
      reject(signal.reason);
    };
    signal.addEventListener('abort', abort, { once: true });
    request.on('error', (error) => fail(networkErrorText(error, hostAndPort(host, port))));
    request.once('response', (response) => {
      awaiting = 'reading body';
      readBody(response, (body) => {
        finish();
        resolve({ statusCode: response.statusCode ?? 0, body, location: response.headers.location });
      });
      // A body that ends early ends the wait: what the status says is known.
      response.on('error', (error) => fail(networkErrorText(error, hostAndPort(host, port))));
    });
    request.end();
  });
}

function openConnection({ scheme, host, port }: Url) {
  return scheme === 'https'
    ? // Loaded with the first https probe.
      process
        .getBuiltinModule('node:tls')
        .connect({ host, port, rejectUnauthorized: false, servername: isIP(host) ? '' : host })
    : connectTcp({ host, port });
}

/** As it stands in the Host header. */
const hostName = (host: string): string => (isIP(host) === 6 ? `[${host}]` : host);

function readBody(response: IncomingMessage, done: (body: string) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const finish = () => done(Buffer.concat(chunks).toString('utf8', 0, maxBodyBytes));
  response.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes >= maxBodyBytes) finish();
  });
  response.once('end', finish);
}

function redirectTarget(answer: RawAnswer, from: Url): Url | undefined {
  if (!redirectCodes.includes(answer.statusCode) || answer.location === undefined) return undefined;
  const base = formatUrl(from);
  if (!URL.canParse(answer.location, base)) return undefined;
  const { protocol, hostname, port, pathname, search } = new URL(answer.location, base);
  const scheme = protocol === 'https:' ? 'https' : 'http';
  return {
    scheme,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port) || defaultPorts[scheme],
    path: `${pathname}${search}`,
  };
}
