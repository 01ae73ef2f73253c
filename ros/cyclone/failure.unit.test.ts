import { expect, it } from 'vitest';
import { participantError } from './failure.ts';

/** As Cyclone DDS 0.10.5 says it. */
it.each([
  ['nope0: does not match an available interface.', true, 'network is up'],
  [
    "config: //CycloneDDS/Domain/General: parser error expecting '/>' or '>' () at line 1",
    false,
    'CYCLONEDDS_URI',
  ],
  [
    'config: //CycloneDDS/Domain: Nonsense: unknown element (CYCLONEDDS_URI+486 line 1)',
    false,
    'CYCLONEDDS_URI',
  ],
  ["can't open configuration file file:///nowhere.xml", false, 'CYCLONEDDS_URI'],
  [
    'Failed to create unicast sockets for domain 300 participant index 0: resulting port numbers (82410, 82411) are out of range',
    false,
    'from 0 to 232',
  ],
  [
    'rtps_init: failed to create unicast sockets for domain 46 participant index 3 (ports 18916, 18917)',
    true,
    'MaxAutoParticipantIndex',
  ],
  ['dds_create_participant: Out of Resources', true, 'network interfaces'],
])('of %j tells whether another try can help, and the fix', (message, isTransient, fix) => {
  const error = participantError(46, new Error(message));
  expect(error.isTransient).toBe(isTransient);
  expect(error.message).toMatch(/^No DDS participant in domain 46: /);
  expect(error.message).toContain(fix);
  expect(error.message).not.toContain('..');
});
