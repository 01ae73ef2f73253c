/** What a probe looks at, for people: `http://:8080/healthz`, `exec ros2-probe heartbeat /beat --deadline 100ms`. */
import type { Probe } from '../api/core.gen.ts';

export function probeSubject({ exec, grpc, httpGet, tcpSocket }: Probe): string {
  const what =
    (exec && `exec ${exec.command?.join(' ')}`) ??
    (httpGet &&
      `${(httpGet.scheme ?? 'HTTP').toLowerCase()}://${httpGet.host ?? ''}:${httpGet.port}${httpGet.path ?? '/'}`) ??
    (tcpSocket && `tcp ${tcpSocket.host ?? ''}:${tcpSocket.port}`) ??
    (grpc && `grpc :${grpc.port} ${grpc.service ?? ''}`) ??
    '';
  return what.trim();
}
