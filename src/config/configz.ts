/** The KubeletConfiguration in force, as `/configz` shows it: what the agent follows, every default filled in. */
import { evictionHard, serializeImagePulls } from './agent-config.ts';
import { formatDuration } from './duration.ts';
import { type KubeletValues, kubeletFields } from './kubelet-fields.ts';

export function configz(values: KubeletValues): object {
  const result: JsonObject = { kind: 'KubeletConfiguration', apiVersion: 'kubelet.config.k8s.io/v1beta1' };
  const inForce: Record<string, unknown> = {
    ...values,
    serializeImagePulls: serializeImagePulls(values),
    evictionHard: evictionHard(values),
  };
  for (const [path, { kind }] of Object.entries(kubeletFields)) {
    if (inForce[path] !== undefined) put(result, path.split('.'), jsonValue(kind, inForce[path]));
  }
  return result;
}

type JsonObject = { [name: string]: unknown };

/** Durations are numbers inside and text outside. */
function jsonValue(kind: string, value: unknown): unknown {
  if (kind === 'duration') return formatDuration(value as number);
  if (kind !== 'durationMap') return value;
  return Object.fromEntries(
    Object.entries(value as Record<string, number>).map(([k, ms]) => [k, formatDuration(ms)]),
  );
}

function put(into: JsonObject, [name = '', ...rest]: string[], value: unknown): void {
  if (rest.length === 0) {
    into[name] = value;
    return;
  }
  const inner = (into[name] ?? {}) as JsonObject;
  into[name] = inner;
  put(inner, rest, value);
}
