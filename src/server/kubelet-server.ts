/**
 * The kubelet API over HTTPS (and, when asked for, its observing part over HTTP) for the API server and others on the
 * network. Whoever asks is authenticated and authorized before anything else happens. Loaded only where it is served.
 */
import type { Server } from 'node:https';
import type { TLSSocket } from 'node:tls';
import { CertificateError } from '../certificates/files.ts';
import type { KubeletServerConfig } from '../config/agent-config.ts';
import { ConfigError } from '../config/problems.ts';
import { authenticator, type TokenReviewer } from './auth/authenticate.ts';
import { type AccessReviewSpec, type Authorizer, alwaysAllow, webhookAuthorizer } from './auth/authorize.ts';
import { clientCertificates } from './auth/client-certificates.ts';
import { guard } from './auth/guard.ts';
import { measureRequest, requestLabels } from './http-metrics.ts';
import {
  debuggingDisabledRoutes,
  debuggingRoutes,
  type KubeletApi,
  observingRoutes,
} from './kubelet-routes.ts';
import { answerRequests, serveRoutes } from './listener.ts';
import type { RunningServer } from './server.ts';
import { closeServer, listen } from './socket.ts';
import { followTlsFiles, type TlsFiles } from './tls-files.ts';

export interface KubeletServerOptions extends TlsFiles {
  config: KubeletServerConfig;
  api: KubeletApi;
  /** The API server's answers; undefined where there is none to ask. */
  reviews?: Reviews;
  /** What the agent has to tell is known. */
  isUp: Promise<void>;
}

export interface Reviews {
  token: TokenReviewer;
  access(spec: AccessReviewSpec): Promise<boolean>;
}

/** The longest request line with headers: a command is a part of it. Go's servers take as much. */
const maxHeaderBytes = 1024 * 1024;
const handshakeMs = 10_000;
const keepAliveMs = 90_000;
/** Streams at once. Each is a process or a connection of its own. */
const maxUpgrades = 1000;
/** Of a server. Anybody on the network can open one before it is known who that is: they must not take the agent's memory. */
const maxConnections = 2 * maxUpgrades;

/** @throws ListenError; ConfigError when a certificate cannot be used */
export async function startKubeletServer(
  options: KubeletServerOptions,
  signal: AbortSignal,
): Promise<RunningServer> {
  const { api, config, isUp } = options;
  const closing = new AbortController();
  const answer = { closing: closing.signal, isUp, log: api.log, textErrors: true, maxUpgrades };
  const observing = observingRoutes(api);
  const debugging = config.debuggingHandlers ? debuggingRoutes(api, config) : debuggingDisabledRoutes();
  const measuredAs = (serverType: 'readonly' | 'readwrite') => ({
    measure: ({ method, path }: { method: string; path: string }) =>
      measureRequest(api.metrics, requestLabels(method, path, serverType)),
  });
  const readOnly = serveRoutes({
    ...answer,
    ...measuredAs('readonly'),
    routes: [...observing, ...debuggingDisabledRoutes()],
  });
  const secure = config.port === 0 ? undefined : secureServer(options);
  if (secure)
    answerRequests(secure.server, {
      ...answer,
      ...measuredAs('readwrite'),
      routes: [...observing, ...debugging],
      admit: secure.admit,
    });
  const servers = [secure?.server ?? [], readOnly].flat();
  for (const server of servers) server.maxConnections = maxConnections;
  const close = async (): Promise<void> => {
    closing.abort();
    await Promise.all(servers.map(closeServer));
  };
  try {
    if (secure) {
      await followTlsFiles(options, secure.server, secure.forgetClients, closing.signal);
      await listen(secure.server, { host: config.address, port: config.port });
    }
    if (config.readOnlyPort !== 0)
      await listen(readOnly, { host: config.address, port: config.readOnlyPort });
  } catch (err) {
    await close();
    if (!(err instanceof CertificateError)) throw err;
    throw new ConfigError([{ source: '', path: '', message: err.message }]);
  }
  signal.addEventListener('abort', () => void close(), { once: true });
  if (signal.aborted) await close();
  return { close };
}

function secureServer(options: KubeletServerOptions) {
  const { config, reviews } = options;
  const { log } = options.api;
  const clients = clientCertificates(Date.now);
  const authenticate = authenticator({
    clientCertificate: clients.of,
    tokens: config.tokenWebhook && reviews && { review: reviews.token, ...config.tokenWebhook },
    anonymous: config.anonymous,
    log,
  });
  // Not imported: an import in this file would be one of the whole bundle.
  const https = process.getBuiltinModule('node:https');
  const server: Server = https.createServer({
    handshakeTimeout: handshakeMs,
    keepAliveTimeout: keepAliveMs,
    maxHeaderSize: maxHeaderBytes,
    requestCert: config.clientCaFile !== undefined,
    // Who has no certificate, or one that does not hold, may still have a token; the answer is the guard's.
    rejectUnauthorized: false,
  });
  server.on('secureConnection', (socket: TLSSocket) => clients.secured(socket));
  server.on('tlsClientError', (err) => log.debug({ err }, 'a TLS handshake failed'));
  return {
    server,
    admit: guard({ authenticate, authorize: authorizer(options), log }),
    forgetClients: () => {
      clients.forget();
      server.closeIdleConnections();
    },
  };
}

function authorizer({ config: { accessWebhook }, api, reviews }: KubeletServerOptions): Authorizer {
  if (accessWebhook === undefined) return alwaysAllow;
  if (reviews === undefined) throw new Error('authorization.mode Webhook without an API server to ask');
  return webhookAuthorizer({ nodeName: api.agent.nodeName, review: reviews.access, ...accessWebhook });
}
