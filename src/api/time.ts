/** RFC 3339 with seconds, as Kubernetes writes times. */
export const time = (epochMs: number): string => `${new Date(epochMs).toISOString().slice(0, 19)}Z`;
