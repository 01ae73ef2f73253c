/**
 * One attempt of a probe, whatever its kind. A failure of what is probed is an outcome; a failure to probe at all (a
 * port name that does not exist, a runtime that does not answer) is an exception and says nothing about the container.
 */
import type { Probe } from '../api/core.gen.ts';
import type { AnyContainer } from '../pods/identity.ts';
import { type ExecInContainer, probeExec } from './exec.ts';
import { probeGrpc } from './grpc.ts';
import { probeHttp } from './http.ts';
import { probeTcp } from './tcp.ts';

export interface ProbeOutcome {
  /** `warning` counts as success. */
  result: 'success' | 'failure' | 'warning';
  output: string;
  /** The failure is that no answer came in time. */
  timedOut?: boolean;
}

export interface ProbeTarget {
  container: AnyContainer;
  /** Empty when the pod has none. */
  podIp: string;
  exec: ExecInContainer;
}

export interface AttemptOptions {
  timeoutMs: number;
  signal: AbortSignal;
}

export function attemptProbe(
  probe: Probe,
  target: ProbeTarget,
  options: AttemptOptions,
): Promise<ProbeOutcome> {
  if (probe.exec) return probeExec(probe.exec, target, options);
  if (probe.httpGet) return probeHttp(probe.httpGet, target, options);
  if (probe.tcpSocket) return probeTcp(probe.tcpSocket, target, options);
  if (probe.grpc) return probeGrpc(probe.grpc, target, options);
  return Promise.reject(new Error('the probe has none of exec, httpGet, tcpSocket and grpc'));
}
