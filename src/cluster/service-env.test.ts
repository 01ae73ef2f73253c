import { describe, expect, it } from 'vitest';
import type { Pod } from '../api/core.gen.ts';
import { serviceEnv } from './service-env.ts';
import type { Service, ServicePort } from './types.ts';

const service = (namespace: string, name: string, clusterIP: string, ...ports: ServicePort[]): Service => ({
  metadata: { namespace, name },
  spec: { clusterIP, ports },
});
const pod = (namespace: string, enableServiceLinks?: boolean): Pod => ({
  metadata: { name: 'p', namespace },
  spec: { containers: [], ...(enableServiceLinks === undefined ? {} : { enableServiceLinks }) },
});
const kubernetes = service('default', 'kubernetes', '10.96.0.1', {
  name: 'https',
  port: 443,
  protocol: 'TCP',
});

describe('the variables of services', () => {
  it('are those of Kubernetes and of Docker links', () => {
    const env = serviceEnv(
      [
        service(
          'ns',
          'map-server',
          '10.96.0.7',
          { name: 'grpc-web', port: 80 },
          { port: 53, protocol: 'UDP' },
        ),
      ],
      pod('ns'),
    );
    expect(Object.fromEntries(env)).toEqual({
      MAP_SERVER_SERVICE_HOST: '10.96.0.7',
      MAP_SERVER_SERVICE_PORT: '80',
      MAP_SERVER_SERVICE_PORT_GRPC_WEB: '80',
      MAP_SERVER_PORT: 'tcp://10.96.0.7:80',
      MAP_SERVER_PORT_80_TCP: 'tcp://10.96.0.7:80',
      MAP_SERVER_PORT_80_TCP_PROTO: 'tcp',
      MAP_SERVER_PORT_80_TCP_PORT: '80',
      MAP_SERVER_PORT_80_TCP_ADDR: '10.96.0.7',
      MAP_SERVER_PORT_53_UDP: 'udp://10.96.0.7:53',
      MAP_SERVER_PORT_53_UDP_PROTO: 'udp',
      MAP_SERVER_PORT_53_UDP_PORT: '53',
      MAP_SERVER_PORT_53_UDP_ADDR: '10.96.0.7',
    });
  });

  const names = (services: Service[], of: Pod) =>
    [...serviceEnv(services, of)].filter(([name]) => name.endsWith('_SERVICE_HOST')).map(([, ip]) => ip);

  it('are of the own namespace and of the API server', () => {
    const services = [
      kubernetes,
      service('ns', 'a', '10.96.0.2', { port: 1 }),
      service('other', 'b', '10.96.0.3', { port: 1 }),
    ];
    expect(names(services, pod('ns'))).toEqual(['10.96.0.2', '10.96.0.1']);
    expect(names(services, pod('ns', false))).toEqual(['10.96.0.1']);
    expect(names(services, pod('default', false))).toEqual(['10.96.0.1']);
  });

  it('prefer a service of the own namespace that has the name of the API server', () => {
    const own = service('ns', 'kubernetes', '10.96.0.9', { port: 1 });
    expect(names([kubernetes, own], pod('ns'))).toEqual(['10.96.0.9']);
    expect(names([own, kubernetes], pod('ns'))).toEqual(['10.96.0.9']);
    expect(names([own, kubernetes], pod('ns', false))).toEqual(['10.96.0.1']);
  });

  it('leave out services without an address or a port', () => {
    expect(
      names(
        [
          service('ns', 'a', 'None', { port: 1 }),
          service('ns', 'b', '', { port: 1 }),
          service('ns', 'c', '10.96.0.2'),
        ],
        pod('ns'),
      ),
    ).toEqual([]);
  });

  it('write an IPv6 address in a URL in brackets', () => {
    const env = serviceEnv([service('ns', 'a', 'fd00::1', { port: 80 })], pod('ns'));
    expect(env.get('A_PORT')).toBe('tcp://[fd00::1]:80');
    expect(env.get('A_SERVICE_HOST')).toBe('fd00::1');
  });
});
