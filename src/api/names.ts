/**
 * The name and number formats of the Kubernetes API (apimachinery's validation package; RFC 1123, RFC 1035, RFC 6335).
 * A rule returns what is wrong with a value as the end of a sentence ("must ..."), undefined when nothing is.
 */
import { isIP } from 'node:net';

export type NameRule = (value: string) => string | undefined;

const LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const LABEL_WITH_UNDERSCORE = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const KEY = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const SYSCTL_SEGMENT = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';

/** Names of containers and volumes, hostnames. */
export const dns1123Label = matching(
  63,
  LABEL,
  'have only lower case letters, digits and "-", and start and end with a letter or digit',
);

/** Names of pods, config maps, secrets, nodes. */
export const dns1123Subdomain = matching(
  253,
  `${LABEL}(\\.${LABEL})*`,
  'have only lower case letters, digits, "-" and ".", and start and end with a letter or digit',
);

/** Identifies an object and names its directory, so that it may never lead out of the one above. */
export const uid: NameRule = (value) =>
  uidCharacters(value) ?? (value.includes('..') ? 'must not have ".." in it' : undefined);
const uidCharacters = matching(
  128,
  '[A-Za-z0-9][-A-Za-z0-9.]*',
  'have only letters, digits, "-" and ".", and start with a letter or digit',
);

/** Search domains, which may have labels like `_tcp`. */
export const dnsSearchDomain = matching(
  253,
  `${LABEL_WITH_UNDERSCORE}(\\.${LABEL_WITH_UNDERSCORE})*`,
  'have only lower case letters, digits, "-", "_" and ".", and start and end with a letter or digit',
);

export const labelValue = matching(
  63,
  `(${KEY})?`,
  'have only letters, digits, "-", "_" and ".", and start and end with a letter or digit, or be empty',
);

const labelName = matching(
  63,
  KEY,
  'have only letters, digits, "-", "_" and ".", and start and end with a letter or digit',
);

/** Label keys, condition types, finalizers, extended resources: a name, or a DNS prefix, "/" and a name. */
export const qualifiedName: NameRule = (value) => {
  const parts = value.split('/');
  if (parts.length > 2) return 'must have at most one "/", behind a DNS prefix such as example.com/name';
  const problem = labelName(parts.at(-1)!);
  if (problem !== undefined) return parts.length === 1 ? problem : `${problem} (behind the "/")`;
  const prefixProblem = parts.length === 2 ? dns1123Subdomain(parts[0]!) : undefined;
  return prefixProblem === undefined ? undefined : `${prefixProblem} (before the "/")`;
};

/** Keys of config maps and secrets; they become file names. */
export const configMapKey: NameRule = (value) => {
  const problem = configKeyCharacters(value);
  if (problem !== undefined) return problem;
  return value === '.' || value.startsWith('..') ? 'must not be "." nor start with ".."' : undefined;
};
const configKeyCharacters = matching(253, '[-._a-zA-Z0-9]+', 'have only letters, digits, "-", "_" and "."');

/** Environment variables, as relaxed since Kubernetes 1.34. */
export const envVarName: NameRule = (value) =>
  /^[\x20-\x3c\x3e-\x7e]+$/.test(value)
    ? undefined
    : 'must have only printable ASCII characters other than "="';

export const portName: NameRule = (value) => {
  if (value.length > 15) return 'must have at most 15 characters';
  const isValid = /^[a-z0-9]+(-[a-z0-9]+)*$/.test(value) && /[a-z]/.test(value);
  return isValid
    ? undefined
    : 'must have only lower case letters, digits and single "-" between them, and at least one letter';
};

export const httpHeaderName: NameRule = (value) =>
  /^[-A-Za-z0-9]+$/.test(value) ? undefined : 'must have only letters, digits and "-", such as X-Header-Name';

export const sysctlName = matching(
  253,
  `(${SYSCTL_SEGMENT}[./])*${SYSCTL_SEGMENT}`,
  'be segments of lower case letters, digits, "-" and "_" joined by "."',
);

/** What the API server takes for an IP in fields of pods: any form, no leading zeros. */
export const ipAddress: NameRule = (value) =>
  isIP(value) !== 0 && !value.includes('%')
    ? undefined
    : 'must be an IP address such as 10.9.8.7 or 2001:db8::ffff';

export const portNumber = (value: number): string | undefined =>
  value >= 1 && value <= 65535 ? undefined : 'must be between 1 and 65535';

/** User and group ids. */
export const posixId = (value: number): string | undefined =>
  value >= 0 && value <= MAX_ID ? undefined : `must be between 0 and ${MAX_ID}`;

const MAX_ID = 2 ** 31 - 1;

function matching(maxLength: number, pattern: string, meaning: string): NameRule {
  const expression = new RegExp(`^${pattern}$`);
  return (value) => {
    if (value === '' && !expression.test('')) return 'must not be empty';
    if (value.length > maxLength) return `must have at most ${maxLength} characters, it has ${value.length}`;
    return expression.test(value) ? undefined : `must ${meaning}`;
  };
}
