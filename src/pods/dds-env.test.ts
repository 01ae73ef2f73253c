import { expect, test } from 'vitest';
import { ddsEnv } from './dds-env.ts';

const udp = { FASTDDS_BUILTIN_TRANSPORTS: 'UDPv4' };

test.each([
  ["the host's network, a /dev/shm of its own", { hostNetwork: true }, {}, udp],
  ["the host's network and its /dev/shm", { hostNetwork: true, hostIPC: true }, {}, {}],
  ["an address of its own, which Fast DDS takes for another machine's", {}, {}, {}],
  ['a wish of its own', { hostNetwork: true }, { FASTDDS_BUILTIN_TRANSPORTS: 'LARGE_DATA' }, {}],
  ['profiles of its own', { hostNetwork: true }, { FASTRTPS_DEFAULT_PROFILES_FILE: '/p.xml' }, {}],
  ['profiles of Fast DDS 3', { hostNetwork: true }, { FASTDDS_DEFAULT_PROFILES_FILE: '/p.xml' }, {}],
  ['another environment', { hostNetwork: true }, { ROS_DOMAIN_ID: '3' }, udp],
])('a pod with %s', (_, spec, env, expected) => {
  const envs = new Map(Object.entries(env as Record<string, string>));
  expect(Object.fromEntries(ddsEnv({ spec: { ...spec, containers: [] } }, envs))).toEqual(expected);
});
