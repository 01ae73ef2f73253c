import { describe, expect, test } from 'vitest';
import { resolvePort } from './port.ts';

const container = {
  name: 'app',
  ports: [{ containerPort: 1 }, { name: 'web', containerPort: 8080 }, { name: '99', containerPort: 100 }],
};

describe('a port', () => {
  test.each([
    [8080, 8080],
    ['web', 8080],
    ['8081', 8081],
    ['99', 100],
    [65535, 65535],
  ])('%j is %i', (port, number) => {
    expect(resolvePort(port, container)).toBe(number);
  });

  test.each([0, 65536, -1, 1.5, 'Web', '', '0x50x', 'NaN'])(
    '%j is refused, with the names there are',
    (port) => {
      expect(() => resolvePort(port, container)).toThrow(
        `container app has no port '${port}': its named ports are web, 99`,
      );
    },
  );
});
