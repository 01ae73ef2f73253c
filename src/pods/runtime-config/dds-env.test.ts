import { expect, test } from 'vitest';
import { ddsEnv, whyDeaf, whyDeafAsWritten } from './dds-env.ts';

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

const local = { ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST' };
const alone = { hostNetwork: true };

test.each([
  ['the default RMW', alone, local, true],
  ['Fast DDS by name', alone, { ...local, RMW_IMPLEMENTATION: 'rmw_fastrtps_dynamic_cpp' }, true],
  ['UDP alone, which is not listened to', alone, { ...local, FASTDDS_BUILTIN_TRANSPORTS: 'UDPv4' }, true],
  ["Humble's variable", alone, { ROS_LOCALHOST_ONLY: '1' }, true],
  ["Humble's variable, off", alone, { ROS_LOCALHOST_ONLY: '0' }, false],
  ['another RMW', alone, { ...local, RMW_IMPLEMENTATION: 'rmw_cyclonedds_cpp' }, false],
  ['the subnet', alone, { ROS_AUTOMATIC_DISCOVERY_RANGE: 'SUBNET' }, false],
  ["the machine's /dev/shm", { hostNetwork: true, hostIPC: true }, local, false],
  ['a network of its own', {}, local, false],
])('nodes with %s are not heard by others: %o %o -> %s', (_, spec, env, isDeaf) => {
  const why = whyDeaf({ ...spec, containers: [] }, (name) => (env as Record<string, string>)[name]);
  expect(why !== undefined).toBe(isDeaf);
});

const range = { name: 'ROS_AUTOMATIC_DISCOVERY_RANGE', value: 'LOCALHOST' };
const rmw = { name: 'RMW_IMPLEMENTATION' };
const valueFrom = { configMapKeyRef: { name: 'ros', key: 'rmw' } };
const envFrom = [{ configMapRef: { name: 'ros' } }];

test.each([
  ['no RMW', { env: [range] }, true],
  ['an RMW from a config map', { env: [range, { ...rmw, valueFrom }] }, false],
  ['whatever a config map has', { env: [range], envFrom }, false],
  [
    'Fast DDS over what a config map has',
    { env: [range, { ...rmw, value: 'rmw_fastrtps_cpp' }], envFrom },
    true,
  ],
])('a manifest with %s tells that nodes are not heard by others: %o -> %s', (_, container, isDeaf) => {
  expect(whyDeafAsWritten({ ...alone, containers: [] }, { name: 'main', ...container }) !== undefined).toBe(
    isDeaf,
  );
});
