/** One attempt of a probe, whatever its kind. */
import type { Probe } from '../api/core.gen.ts';
import type { AnyContainer } from '../pods/identity.ts';
import { type ExecInContainer, probeExec } from './exec.ts';
import { probeGrpc } from './grpc.ts';
import { probeHttp } from './http.ts';
import type { AttemptOptions, ProbeOutcome } from './outcome.ts';
import { probeTcp } from './tcp.ts';

export interface ProbeTarget {
  container: AnyContainer;
  /** Empty when the pod has none. */
  podIp: string;
  exec: ExecInContainer;
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
