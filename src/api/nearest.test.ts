import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearestName } from './nearest.ts';
import { fieldsOf } from './schema.ts';

const container = [...fieldsOf('Container').keys()];

describe('the nearest name', () => {
  it.each([
    ['imagePulPolicy', 'imagePullPolicy'],
    ['imagepullpolicy', 'imagePullPolicy'],
    ['comamnd', 'command'],
    ['cmmand', 'command'],
    ['arg', 'args'],
    ['volumeMount', 'volumeMounts'],
    ['mounts', 'volumeMounts'],
    ['environment', 'env'],
    ['liveness', 'livenessProbe'],
    ['securitycontexts', 'securityContext'],
    ['zzz', undefined],
    ['x', undefined],
    ['', undefined],
  ])('of %j is %j', (name, nearest) => {
    expect(nearestName(name, container)).toBe(nearest);
  });

  it('is a known one or none, and the name itself when that is known', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom(...container), (any, known) => {
        expect([undefined, ...container]).toContain(nearestName(any, container));
        expect(nearestName(known, container)).toBe(known);
      }),
    );
  });

  it('of a name with two neighbours swapped is that name', () => {
    const longNames = container.filter((name) => name.length > 5);
    fc.assert(
      fc.property(fc.constantFrom(...longNames), fc.nat(), (name, seed) => {
        const at = seed % (name.length - 1);
        const swapped = name.slice(0, at) + name[at + 1] + name[at] + name.slice(at + 2);
        expect(nearestName(swapped, container)).toBe(name);
      }),
    );
  });
});
