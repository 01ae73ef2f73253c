import { describe, expect, test } from 'vitest';
import type { PodSpec } from '../../api/core.gen.ts';
import { type DnsInput, parseResolvConf, podDns } from './dns.ts';

const host = { servers: ['192.168.1.1'], searches: ['lan'], options: ['edns0'] };
const inCluster: DnsInput = { host, clusterDns: ['10.96.0.10'], clusterDomain: 'cluster.local' };
const cluster = {
  servers: ['10.96.0.10'],
  searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'lan'],
  options: ['ndots:5'],
};
const alone: DnsInput = { host, clusterDns: [], clusterDomain: 'cluster.local' };

const dnsOf = (spec: Partial<PodSpec>, input = inCluster) =>
  podDns({ metadata: { name: 'p', namespace: 'ns' }, spec: { containers: [], ...spec } }, input);

describe('the DNS policy decides', () => {
  test.each<[Partial<PodSpec>, DnsInput, unknown]>([
    [{}, inCluster, cluster],
    [{ dnsPolicy: 'ClusterFirst' }, inCluster, cluster],
    [{ dnsPolicy: 'ClusterFirst', hostNetwork: true }, inCluster, host],
    [{ dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, inCluster, cluster],
    [{ dnsPolicy: 'Default' }, inCluster, host],
    [{ dnsPolicy: 'None' }, inCluster, { servers: [], searches: [], options: [] }],
    [{ dnsPolicy: 'ClusterFirst' }, alone, host],
    [{ dnsPolicy: 'ClusterFirst' }, { ...inCluster, clusterDomain: '' }, { ...cluster, searches: ['lan'] }],
  ])('for %j', (spec, input, expected) => {
    expect(dnsOf(spec, input)).toEqual({ dns: expected, warnings: [] });
  });
});

test("the pod's dnsConfig is added, without repetition, its options replacing those of the same name", () => {
  const { dns } = dnsOf({
    dnsConfig: {
      nameservers: ['10.96.0.10', '1.1.1.1'],
      searches: ['lan', 'robots.example'],
      options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }],
    },
  });
  expect(dns).toEqual({
    servers: ['10.96.0.10', '1.1.1.1'],
    searches: [...cluster.searches, 'robots.example'],
    options: ['ndots:2', 'edns0'],
  });
});

test('more nameservers than the resolver takes are left out, and said so', () => {
  const { dns, warnings } = dnsOf({ dnsPolicy: 'None', dnsConfig: { nameservers: ['1', '2', '3', '4'] } });
  expect(dns.servers).toEqual(['1', '2', '3']);
  expect(warnings).toMatchObject([{ reason: 'DNSConfigForming', message: expect.stringContaining('1 2 3') }]);
});

test.each([
  [Array.from({ length: 40 }, (_, i) => `d${i}`), 32],
  [Array.from({ length: 12 }, (_, i) => `${i}${'x'.repeat(200)}`), 10],
])('more search domains than the resolver takes are left out, and said so', (searches, kept) => {
  const { dns, warnings } = dnsOf({ dnsPolicy: 'None', dnsConfig: { searches } });
  expect(dns.searches).toEqual(searches.slice(0, kept));
  expect(warnings).toMatchObject([{ reason: 'DNSConfigForming' }]);
});

test("a nameserver on the node's loopback is of no use to a pod with its own network, which is said", () => {
  const input = { ...alone, host: { ...host, servers: ['127.0.0.53', '::1'] } };
  expect(dnsOf({}, input).warnings).toMatchObject([
    { reason: 'DNSConfigForming', message: expect.stringContaining('127.0.0.53') },
  ]);
  expect(dnsOf({ hostNetwork: true }, input).warnings).toEqual([]);
  expect(dnsOf({ dnsConfig: { nameservers: ['1.1.1.1'] } }, input).warnings).toEqual([]);
});

test('resolv.conf is read as the resolver reads it', () => {
  const text = [
    '# comment',
    'nameserver 1.1.1.1 # trailing',
    '  nameserver   2.2.2.2',
    'search first.example',
    'search a.example. b.example .',
    'options ndots:1 timeout:2',
    'options ndots:3 rotate',
    'sortlist 1.2.3.4',
    '; also a comment',
  ].join('\n');
  expect(parseResolvConf(text)).toEqual({
    servers: ['1.1.1.1', '2.2.2.2'],
    searches: ['a.example', 'b.example', '.'],
    options: ['ndots:3', 'timeout:2', 'rotate'],
  });
});
