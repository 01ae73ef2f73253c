/** Probes and lifecycle hooks: what they do, and when. */

import { isRosProbe, parseRosProbe, RosProbeError } from '../../probes/ros-spec.ts';
import type { Container, HTTPGetAction, Lifecycle, LifecycleHandler, PodOS, Probe } from '../core.gen.ts';
import { child, index } from '../errors.ts';
import type { FieldErrors } from '../field-errors.ts';
import { httpHeaderName, portName, portNumber } from '../names.ts';

export interface HandlerContext {
  /** The pod's terminationGracePeriodSeconds: a hook cannot sleep longer. */
  gracePeriodSeconds: number;
  os: PodOS | undefined;
}

export function validateProbes(
  container: Container,
  context: HandlerContext,
  path: string,
  errors: FieldErrors,
): void {
  for (const kind of ['livenessProbe', 'readinessProbe', 'startupProbe'] as const) {
    const probe = container[kind];
    const probePath = child(path, kind);
    if (probe === undefined) continue;
    validateProbe(probe, context, probePath, errors);
    validateRosProbe(probe, probePath, errors);
    const { successThreshold = 1, terminationGracePeriodSeconds } = probe;
    if (kind !== 'readinessProbe' && successThreshold !== 1) {
      errors.invalid(
        child(probePath, 'successThreshold'),
        successThreshold,
        'must be 1 for this kind of probe',
      );
    }
    if (kind === 'readinessProbe' && terminationGracePeriodSeconds !== undefined) {
      const message = 'must be left out: a readiness probe never ends the container';
      errors.invalid(
        child(probePath, 'terminationGracePeriodSeconds'),
        terminationGracePeriodSeconds,
        message,
      );
    }
  }
}

export function validateLifecycle(
  { postStart, preStop, stopSignal }: Lifecycle,
  context: HandlerContext,
  path: string,
  errors: FieldErrors,
): void {
  if (postStart !== undefined) validateHandler(postStart, context, child(path, 'postStart'), errors);
  if (preStop !== undefined) validateHandler(preStop, context, child(path, 'preStop'), errors);
  if (stopSignal !== undefined) validateStopSignal(stopSignal, context.os, child(path, 'stopSignal'), errors);
}

const PROBE_TIMES = [
  'initialDelaySeconds',
  'timeoutSeconds',
  'periodSeconds',
  'successThreshold',
  'failureThreshold',
] as const;

function validateProbe(probe: Probe, context: HandlerContext, path: string, errors: FieldErrors): void {
  validateHandler(probe, context, path, errors);
  for (const field of PROBE_TIMES) {
    const value = probe[field] ?? 0;
    if (value < 0) errors.invalid(child(path, field), value, 'must not be negative');
  }
  const { terminationGracePeriodSeconds } = probe;
  if (terminationGracePeriodSeconds !== undefined && terminationGracePeriodSeconds <= 0) {
    const message = 'must be greater than 0';
    errors.invalid(child(path, 'terminationGracePeriodSeconds'), terminationGracePeriodSeconds, message);
  }
}

/** No rule of the API server's, which takes any command: this one is answered by the ROS 2 bridge. */
function validateRosProbe({ exec }: Probe, path: string, errors: FieldErrors): void {
  if (!isRosProbe(exec)) return;
  try {
    parseRosProbe(exec.command);
  } catch (err) {
    if (!(err instanceof RosProbeError)) throw err;
    errors.invalid(index(child(path, 'exec.command'), err.word), exec.command[err.word], err.message);
  }
}

type Handler = LifecycleHandler & Pick<Probe, 'grpc'>;
const HANDLERS = ['exec', 'httpGet', 'tcpSocket', 'grpc', 'sleep'] as const;

function validateHandler(handler: Handler, context: HandlerContext, path: string, errors: FieldErrors): void {
  const [first, ...others] = HANDLERS.filter((field) => handler[field] !== undefined);
  if (first === undefined) {
    errors.required(path, 'give an action such as exec or httpGet');
    return;
  }
  for (const other of others) {
    errors.forbidden(child(path, other), `must be left out: there is one action, and ${first} is set`);
  }
  const { exec, grpc, httpGet, sleep, tcpSocket } = handler;
  if (exec !== undefined && (exec.command ?? []).length === 0) {
    errors.required(child(path, 'exec.command'), 'give the command as a list');
  }
  if (httpGet !== undefined) validateHttpGet(httpGet, child(path, 'httpGet'), errors);
  if (tcpSocket !== undefined) validatePort(tcpSocket.port, child(path, 'tcpSocket.port'), errors);
  if (grpc !== undefined) validatePort(grpc.port, child(path, 'grpc.port'), errors);
  if (sleep !== undefined && (sleep.seconds < 0 || sleep.seconds > context.gracePeriodSeconds)) {
    const message = `must be between 0 and the pod's terminationGracePeriodSeconds (${context.gracePeriodSeconds})`;
    errors.invalid(child(path, 'sleep'), sleep.seconds, message);
  }
}

function validateHttpGet(action: HTTPGetAction, path: string, errors: FieldErrors): void {
  if (action.path === '') errors.required(child(path, 'path'), 'give a path such as /healthz');
  validatePort(action.port, child(path, 'port'), errors);
  const { httpHeaders = [], scheme } = action;
  errors.checkOneOf(child(path, 'scheme'), scheme, ['HTTP', 'HTTPS']);
  for (const [position, header] of httpHeaders.entries()) {
    errors.check(child(index(child(path, 'httpHeaders'), position), 'name'), header.name, httpHeaderName);
  }
}

function validatePort(port: number | string, path: string, errors: FieldErrors): void {
  if (typeof port === 'number') errors.check(path, port, portNumber);
  else errors.check(path, port, portName);
}

const SIGNALS = [
  ...'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS'.split(
    ' ',
  ),
  ...'TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX'.split(' '),
  ...Array.from({ length: 15 }, (_, offset) => `RTMIN+${offset + 1}`),
  ...Array.from({ length: 14 }, (_, offset) => `RTMAX-${offset + 1}`),
].map((name) => `SIG${name}`);

function validateStopSignal(signal: string, os: PodOS | undefined, path: string, errors: FieldErrors): void {
  if (os === undefined) errors.forbidden(path, 'needs spec.os.name to be set (to linux)');
  else errors.checkOneOf(path, signal, SIGNALS);
}
