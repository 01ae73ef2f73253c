/** `/healthz` as the kubelet answers it: `ok`, or 500 and a line a check; single checks by name. */
import type { AgentView, HealthCheck } from './agent-view.ts';
import { notFound } from './errors.ts';
import type { HealthLog } from './health-log.ts';
import { type Exchange, type Route, sendText } from './http.ts';

export interface HealthApi {
  agent: Pick<AgentView, 'health'>;
  healthLog: HealthLog;
}

export const healthRoutes = (api: HealthApi): Route[] => [
  ...['/healthz', '/livez', '/readyz'].map(
    (path): Route => ({ methods: ['GET'], path, handle: (exchange) => all(exchange, api) }),
  ),
  { methods: ['GET'], path: '/healthz/{check}', handle: (exchange) => one(exchange, api) },
];

function all({ res, query }: Exchange, { agent, healthLog }: HealthApi): void {
  const excluded = new Set(query.getAll('exclude'));
  const checks = agent.health().filter(({ name }) => !excluded.has(name));
  healthLog.note(checks);
  const failed = checks.filter((check) => check.error !== undefined);
  if (failed.length > 0) sendText(res, 500, `${describe(checks)}healthz check failed\n`);
  else sendText(res, 200, query.has('verbose') ? `${describe(checks)}healthz check passed\n` : 'ok');
}

function one({ res, params }: Exchange, { agent }: HealthApi): void {
  const check = agent.health().find((each) => each.name === params.check);
  if (!check) throw notFound('healthz check', params.check ?? '');
  if (check.error === undefined) sendText(res, 200, 'ok');
  else sendText(res, 500, `${check.name} failed: ${check.error}\n`);
}

const describe = (checks: HealthCheck[]): string =>
  checks
    .map(({ name, error }) => (error === undefined ? `[+]${name} ok\n` : `[-]${name} failed: ${error}\n`))
    .join('');
