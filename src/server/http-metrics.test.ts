import { expect, it } from 'vitest';
import { requestLabels } from './http-metrics.ts';

it.each([
  ['GET', '/pods', 'GET pods false'],
  ['GET', '/metrics', 'GET metrics false'],
  ['GET', '/metrics/cadvisor', 'GET metrics/cadvisor false'],
  ['GET', '/metrics/made-up', 'GET other false'],
  ['POST', '/exec/ns/pod/main', 'POST exec true'],
  ['GET', '/debug/pprof/heap', 'GET debug true'],
  ['GET', '/', 'GET other false'],
  ['MADE-UP', '/made/up', 'other other false'],
])('%s %s is one of a few', (verb, url, expected) => {
  const { method, path, server_type, long_running } = requestLabels(verb, url, 'readwrite');
  expect(`${method} ${path} ${long_running}`).toBe(expected);
  expect(server_type).toBe('readwrite');
});
