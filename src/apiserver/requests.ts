/** What the parameters, headers and body of an API request ask for, read strictly. */
import { ApiError, badRequest } from '../server/errors.ts';
import { type Exchange, intParam, readBody, sendJson } from '../server/http.ts';
import type { FieldValidation } from './decode-body.ts';
import type { DeleteOptions } from './object-store.ts';
import { type Json, type PatchType, patchTypes } from './patch.ts';
import type { IncludeObject } from './table.ts';

/** The first acceptable type decides, as clients list them by preference. Undefined: plain JSON. */
export function tableWanted({ req, query }: Exchange): IncludeObject | undefined {
  const accepted = (req.headers.accept ?? '*/*').split(',').map((each) => each.trim());
  for (const each of accepted) {
    const [type = '', ...parameters] = each.split(';').map((part) => part.trim());
    if (type !== 'application/json' && type !== '*/*' && type !== 'application/*') continue;
    const as = parameters.find((parameter) => parameter.startsWith('as='))?.slice(3);
    if (as === undefined) return undefined;
    if (as !== 'Table' || !parameters.includes('v=v1')) continue;
    const include = query.get('includeObject') || 'Metadata';
    if (include === 'None' || include === 'Metadata' || include === 'Object') return include;
    throw badRequest(`parameter includeObject: "${include}" is not one of None, Metadata, Object`);
  }
  throw new ApiError('NotAcceptable', 'only application/json is served, also as a Table of meta.k8s.io/v1');
}

export const contentType = (table: IncludeObject | undefined): string =>
  table ? 'application/json;as=Table;v=v1;g=meta.k8s.io' : 'application/json';

export function dryRun(query: URLSearchParams): boolean {
  const values = query.getAll('dryRun').filter((value) => value !== '');
  if (values.some((value) => value !== 'All')) throw badRequest(`parameter dryRun: only All is possible`);
  return values.length > 0;
}

export function fieldValidation(query: URLSearchParams): FieldValidation {
  const value = query.get('fieldValidation') || 'Warn';
  if (value === 'Strict' || value === 'Warn' || value === 'Ignore') return value;
  throw badRequest(`parameter fieldValidation: "${value}" is not one of Strict, Warn, Ignore`);
}

export function patchType({ req }: Exchange): PatchType {
  const type = mediaType(req.headers['content-type']);
  if (Object.hasOwn(patchTypes, type)) return type as PatchType;
  const known = Object.keys(patchTypes).join(', ');
  const hint = type.startsWith('application/apply-patch') ? ' (kubectl: leave out --server-side)' : '';
  throw new ApiError(
    'UnsupportedMediaType',
    `a patch of type "${type}" is not supported${hint}: use ${known}`,
  );
}

export async function jsonBody({ req }: Exchange, wanted = 'application/json'): Promise<Json> {
  const type = mediaType(req.headers['content-type']) || wanted;
  if (type !== wanted) {
    const hint = type.includes('protobuf')
      ? ' (with "kubectl create": --dry-run=client -o yaml | kubectl apply -f -)'
      : '';
    throw new ApiError('UnsupportedMediaType', `the body is ${type}: send ${wanted}${hint}`);
  }
  return parseJson(await readBody(req));
}

async function optionalJsonBody({ req }: Exchange): Promise<object> {
  const body = await readBody(req);
  const value = body.length === 0 ? {} : parseJson(body);
  if (typeof value !== 'object' || value === null) throw badRequest('the body must be a JSON object');
  return value;
}

function parseJson(body: Buffer): Json {
  try {
    return JSON.parse(body.toString('utf8')) as Json;
  } catch (cause) {
    throw new ApiError('BadRequest', `the body is not JSON: ${(cause as Error).message}`, undefined, {
      cause,
    });
  }
}

const mediaType = (header: string | undefined): string => (header ?? '').split(';')[0]!.trim().toLowerCase();

/** The API server's limits. A client reads only so much of a head: too many warnings would hide the answer. */
const maxWarningBytes = 4 * 1024;
const maxCutWarningBytes = 256;

export function sendWithWarnings({ res }: Exchange, code: number, body: object, warnings: string[]): void {
  const plain = warnings.map((text) => text.replace(/[^\x20-\x7e]/g, '?'));
  const isLong = plain.reduce((sum, { length }) => sum + length, 0) > maxWarningBytes;
  let left = maxWarningBytes;
  const lines: string[] = [];
  for (const text of isLong ? plain.map((each) => each.slice(0, maxCutWarningBytes)) : plain) {
    left -= text.length;
    if (left < 0) break;
    lines.push(`299 - "${text.replace(/["\\]/g, '\\$&')}"`);
  }
  if (lines.length > 0) res.setHeader('Warning', lines);
  sendJson(res, code, body);
}

export async function deleteOptions(exchange: Exchange): Promise<DeleteOptions> {
  const { query } = exchange;
  const body = (await optionalJsonBody(exchange)) as {
    gracePeriodSeconds?: unknown;
    preconditions?: DeleteOptions['preconditions'];
    dryRun?: unknown[];
  };
  const seconds = body.gracePeriodSeconds ?? intParam(query, 'gracePeriodSeconds', -1);
  if (seconds !== undefined && seconds !== null && (!Number.isInteger(seconds) || (seconds as number) < -1)) {
    throw badRequest(`gracePeriodSeconds: ${JSON.stringify(seconds)} is not a number of seconds`);
  }
  const gracePeriodSeconds = typeof seconds === 'number' && seconds >= 0 ? seconds : undefined;
  return {
    ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
    ...(body.preconditions && { preconditions: body.preconditions }),
    dryRun: dryRun(query) || (Array.isArray(body.dryRun) && body.dryRun.includes('All')),
  };
}
