import { expect, it } from 'vitest';
import { requestedPorts } from './port-channels.ts';

const query = (count: number) =>
  new URLSearchParams({ port: Array.from({ length: count }, (_, index) => `${index + 1}`).join() });

it('takes as many ports as there are channels for, and refuses more', () => {
  expect(requestedPorts(query(128))).toHaveLength(128);
  expect(() => requestedPorts(query(129))).toThrow('query parameter "port": 129 ports, at most 128');
});
