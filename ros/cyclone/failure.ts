/** Why the library made no participant, as a sentence with the fix. */
import { TransportError } from '../transport.ts';

interface Remedy {
  /** Of the library's words. */
  pattern: RegExp;
  fix: string;
  /** Whether the same settings can do another time. */
  isTransient: boolean;
}

/** The first that fits. */
const remedies: readonly Remedy[] = [
  {
    pattern: /port numbers .* out of range/,
    fix: 'ROS_DOMAIN_ID must be a number from 0 to 232',
    isTransient: false,
  },
  {
    pattern: /participant index|unicast sockets/,
    fix: 'All participant indices of this host and domain are taken: end ROS 2 processes, use another ROS_DOMAIN_ID, or raise Discovery/MaxAutoParticipantIndex in CYCLONEDDS_URI',
    isTransient: true,
  },
  {
    pattern: /interface/,
    fix: 'Check General/Interfaces in CYCLONEDDS_URI, and that the network is up',
    isTransient: true,
  },
  { pattern: /^config: |configuration file/, fix: 'Correct CYCLONEDDS_URI', isTransient: false },
  {
    pattern: /other settings/,
    fix: 'Close that one first, or use the same settings',
    isTransient: true,
  },
];

const otherwise = { fix: 'Check CYCLONEDDS_URI and the network interfaces', isTransient: true };

export function participantError(domainId: number, cause: Error): TransportError {
  const message = cause.message.replace(/\.+$/, '');
  const { fix, isTransient } = remedies.find(({ pattern }) => pattern.test(message)) ?? otherwise;
  return new TransportError(`No DDS participant in domain ${domainId}: ${message}. ${fix}`, isTransient, {
    cause,
  });
}
