/** Requests and limits of a container. */
import { isExtended } from '../../resources/amounts.ts';
import type { ContainerResizePolicy, ResourceRequirements } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { qualifiedName } from '../names.ts';
import { compareQuantities, parseQuantity, type Quantity } from '../quantity.ts';

export function validateResources(resources: ResourceRequirements, path: string, errors: FieldErrors): void {
  const { limits = {}, requests = {} } = resources;
  for (const [list, quantities] of Object.entries({ limits, requests })) {
    for (const [name, text] of Object.entries(quantities)) {
      // A request that was taken over from the limit has the limit's faults; they are told once, where they are.
      if (list === 'requests' && limits[name] === text) continue;
      const itemPath = index(child(path, list), name);
      validateResourceName(name, itemPath, errors);
      validateAmount(name, text, itemPath, errors);
    }
  }
  for (const [name, text] of Object.entries(requests)) {
    validateRequest(name, text, limits[name], path, errors);
  }
  const names = new Set([...Object.keys(limits), ...Object.keys(requests)]);
  const hasHugePages = [...names].some(isHugePages);
  if (hasHugePages && !names.has('cpu') && !names.has('memory')) {
    errors.forbidden(path, 'huge pages need a request or limit of cpu or memory beside them');
  }
}

export function validateOverhead(overhead: Record<string, string>, path: string, errors: FieldErrors): void {
  validateResources({ limits: overhead }, path, errors);
}

export function validateResizePolicies(
  policies: readonly ContainerResizePolicy[],
  podRestartPolicy: string,
  path: string,
  errors: FieldErrors,
): void {
  const seen = new Set<string>();
  for (const [position, { resourceName, restartPolicy }] of policies.entries()) {
    const itemPath = index(path, position);
    if (seen.has(resourceName)) {
      errors.duplicate(itemPath, resourceName, `there is already a policy for ${resourceName}`);
    }
    seen.add(resourceName);
    errors.checkOneOf(child(itemPath, 'resourceName'), resourceName, ['cpu', 'memory']);
    const allowed = podRestartPolicy === 'Never' ? ['NotRequired'] : ['NotRequired', 'RestartContainer'];
    errors.checkOneOf(child(itemPath, 'restartPolicy'), restartPolicy, allowed);
  }
}

const isHugePages = (name: string): boolean => name.startsWith('hugepages-');
/** Huge pages and extended resources are handed out whole: nobody can be promised more than there is. */
const isOvercommitAllowed = (name: string): boolean => !isExtended(name) && !isHugePages(name);

const CONTAINER_RESOURCES = ['cpu', 'memory', 'ephemeral-storage'];

function validateResourceName(name: string, path: string, errors: FieldErrors): void {
  if (!errors.check(path, name, qualifiedName)) return;
  if (!name.includes('/')) {
    if (!CONTAINER_RESOURCES.includes(name) && !isHugePages(name)) {
      const known = `${CONTAINER_RESOURCES.join(', ')} or hugepages-<size>`;
      errors.invalid(path, name, `must be ${known}, or have a domain such as example.com/gpu: "${name}"`);
    }
  } else if (isExtended(name)) {
    const isWellFormed = !name.startsWith('requests.') && qualifiedName(`requests.${name}`) === undefined;
    if (!isWellFormed)
      errors.invalid(path, name, 'is no name for an extended resource such as example.com/camera');
  }
}

function validateAmount(name: string, text: string, path: string, errors: FieldErrors): void {
  const quantity = parseQuantity(text);
  if (quantity === undefined) {
    errors.invalid(path, text, `must be a quantity such as 500m or 64Mi: "${text}"`);
    return;
  }
  if (quantity.nano < 0n) errors.invalid(path, text, `must not be negative: ${text}`);
  const isCounted = isExtended(name);
  if (isCounted && quantity.nano % NANO !== 0n) errors.invalid(path, text, `must be a whole number: ${text}`);
  if (isHugePages(name) && !isMultipleOfPage(name, quantity)) {
    errors.invalid(
      path,
      text,
      `must be a multiple of the page size ${name.slice('hugepages-'.length)}: ${text}`,
    );
  }
}

const NANO = 10n ** 9n;

function isMultipleOfPage(name: string, { nano }: Quantity): boolean {
  const page = parseQuantity(name.slice('hugepages-'.length));
  return page !== undefined && page.nano > 0n && page.nano % NANO === 0n && nano % page.nano === 0n;
}

function validateRequest(
  name: string,
  text: string,
  limitText: string | undefined,
  path: string,
  errors: FieldErrors,
): void {
  const requestPath = index(child(path, 'requests'), name);
  if (limitText === undefined) {
    if (!isOvercommitAllowed(name)) {
      errors.required(index(child(path, 'limits'), name), `${name} needs a limit equal to its request`);
    }
    return;
  }
  const request = parseQuantity(text);
  const limit = parseQuantity(limitText);
  if (request === undefined || limit === undefined) return;
  const order = compareQuantities(request, limit);
  if (order !== 0 && !isOvercommitAllowed(name)) {
    errors.invalid(requestPath, text, `must be equal to the limit of ${limitText}: ${text}`);
  } else if (order > 0) {
    errors.invalid(requestPath, text, `must not be more than the limit of ${limitText}: ${text}`);
  }
}
