/** What a ConfigMap or a Secret holds, as bytes, and how its absence is told. */
import type { ConfigMap, Secret } from '../api/core.gen.ts';

export function configMapFiles(configMap: ConfigMap): Map<string, Buffer> {
  return new Map([
    ...Object.entries(configMap.data ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const),
    ...Object.entries(configMap.binaryData ?? {}).map(
      ([key, base64]) => [key, Buffer.from(base64, 'base64')] as const,
    ),
  ]);
}

/** stringData wins over data, as when the API server merges it. */
export function secretFiles(secret: Secret): Map<string, Buffer> {
  return new Map([
    ...Object.entries(secret.data ?? {}).map(
      ([key, base64]) => [key, Buffer.from(base64, 'base64')] as const,
    ),
    ...Object.entries(secret.stringData ?? {}).map(([key, text]) => [key, Buffer.from(text)] as const),
  ]);
}

export const notFound = (kind: 'configmap' | 'secret', name: string): string => `${kind} "${name}" not found`;
