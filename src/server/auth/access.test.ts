import { describe, expect, it } from 'vitest';
import { nodeAccess } from './access.ts';

describe('nodeAccess', () => {
  it.each([
    ['/pods', 'pods,proxy'],
    ['/pods/', 'pods,proxy'],
    ['/runningpods/', 'pods,proxy'],
    ['/healthz', 'healthz,proxy'],
    ['/healthz/syncloop', 'healthz,proxy'],
    ['/configz', 'configz,proxy'],
    ['/stats/summary', 'stats'],
    ['/metrics', 'metrics'],
    ['/metrics/cadvisor', 'metrics'],
    ['/metrics/resource', 'metrics'],
    ['/logs/', 'log'],
    ['/logs/messages', 'log'],
    ['/checkpoint/ns/pod/main', 'checkpoint'],
    ['/exec/ns/pod/main', 'proxy'],
    ['/attach/ns/pod/main', 'proxy'],
    ['/run/ns/pod/main', 'proxy'],
    ['/portForward/ns/pod', 'proxy'],
    ['/containerLogs/ns/pod/main', 'proxy'],
    ['/debug/pprof/profile', 'proxy'],
    ['/', 'proxy'],
    ['/no-such-thing', 'proxy'],
    // Not below it, only written alike.
    ['/podsecrets', 'proxy'],
    ['/metricsx', 'proxy'],
    ['/statsummary', 'proxy'],
    ['/logsecret', 'proxy'],
    ['/Pods', 'proxy'],
    ['/x/pods', 'proxy'],
  ])('of %s asks for %s', (path, subresources) => {
    expect(nodeAccess('GET', path).subresources.join()).toBe(subresources);
  });

  it.each([
    ['GET', 'get'],
    ['POST', 'create'],
    ['PUT', 'update'],
    ['PATCH', 'patch'],
    ['DELETE', 'delete'],
    ['OPTIONS', ''],
    ['constructor', ''],
  ])('takes %s for the verb "%s"', (method, verb) => {
    expect(nodeAccess(method, '/exec/ns/pod/main').verb).toBe(verb);
  });
});
