/** A pod in words, as `kubectl describe pod` orders it. */
import type { ContainerState, ContainerStatus, EnvVar, Pod, Probe, Volume } from '../api/core.gen.ts';
import { humanDuration } from '../apiserver/human-duration.ts';
import { summarizePod } from '../apiserver/pod-summary.ts';
import type { AnyContainer } from '../pods/identity.ts';
import { probeSubject } from '../probes/subject.ts';
import type { PodLifecycleView } from '../server/agent-view.ts';
import { formatOutline, mapLines, type Outline, type OutlineEntry } from './outline.ts';
import { statusStyle } from './output.ts';

export function describePod(pod: Pod, lifecycle: PodLifecycleView | undefined, nowMs: number): string {
  const { metadata = {}, spec, status = {} } = pod;
  const summary = summarizePod(pod);
  const style = statusStyle(summary.status);
  return formatOutline([
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Status', { text: summary.status, ...(style && { style }) }],
    ['Reason', status.reason],
    ['Message', status.message],
    ['Lifecycle', lifecycle?.state],
    ['ROS Node', lifecycle?.rosNode],
    ['Waits For', lifecycle?.waitsFor.join(', ')],
    ['Ready', `${summary.ready}/${summary.total}`],
    ['Restarts', summary.restarts],
    ['Node', spec?.nodeName],
    ['IP', (status.podIPs ?? []).map(({ ip }) => ip).join(', ')],
    ['Start Time', instant(status.startTime, nowMs)],
    ['Deleted', metadata.deletionTimestamp && `killed at the latest ${metadata.deletionTimestamp}`],
    ['Runtime Class', spec?.runtimeClassName],
    ['QoS Class', status.qosClass],
    ['Service Account', spec?.serviceAccountName],
    ['UID', metadata.uid],
    ['Labels', mapLines(metadata.labels, '=')],
    ['Annotations', mapLines(metadata.annotations, ': ')],
    containers('Init Containers', spec?.initContainers, status.initContainerStatuses, nowMs),
    containers('Containers', spec?.containers, status.containerStatuses, nowMs),
    containers('Ephemeral Containers', spec?.ephemeralContainers, status.ephemeralContainerStatuses, nowMs),
    [
      'Conditions',
      {
        section: (status.conditions ?? []).map(({ type, status: value, reason, message }) => [
          type,
          [value, reason && `(${reason}${message ? `: ${message}` : ''})`].filter(Boolean).join(' '),
        ]),
      },
    ],
    ['Volumes', { section: (spec?.volumes ?? []).map((volume) => [volume.name, volumeText(volume)]) }],
  ]).join('\n');
}

function containers(
  title: string,
  specs: readonly AnyContainer[] | undefined,
  statuses: readonly ContainerStatus[] | undefined,
  nowMs: number,
): OutlineEntry {
  const section = (specs ?? []).map((spec): OutlineEntry => {
    const status = statuses?.find((each) => each.name === spec.name);
    return [spec.name, { section: container(spec, status, nowMs) }];
  });
  return [title, { section }];
}

function container(spec: AnyContainer, status: ContainerStatus | undefined, nowMs: number): Outline {
  return [
    ['State', stateText(status?.state, nowMs)],
    ['Last State', stateText(status?.lastState, nowMs)],
    ['Ready', status && (status.ready ? 'yes' : 'no')],
    ['Restart Count', status?.restartCount],
    ['Container ID', status?.containerID],
    ['Image', spec.image],
    ['Image ID', status?.imageID],
    ['Command', shellWords(spec.command)],
    ['Args', shellWords(spec.args)],
    [
      'Ports',
      (spec.ports ?? []).map(({ containerPort, hostPort, protocol = 'TCP', name }) =>
        [`${containerPort}/${protocol}`, name && `(${name})`, hostPort && `on host port ${hostPort}`]
          .filter(Boolean)
          .join(' '),
      ),
    ],
    ['Requests', mapLines(spec.resources?.requests, ': ')],
    ['Limits', mapLines(spec.resources?.limits, ': ')],
    ['Liveness', probeText(spec.livenessProbe)],
    ['Readiness', probeText(spec.readinessProbe)],
    ['Startup', probeText(spec.startupProbe)],
    [
      'Environment From',
      (spec.envFrom ?? []).map(({ configMapRef, secretRef, prefix }) =>
        [
          configMapRef ? `config map ${configMapRef.name}` : `secret ${secretRef?.name}`,
          prefix && `prefix ${prefix}`,
        ]
          .filter(Boolean)
          .join(', '),
      ),
    ],
    ['Environment', (spec.env ?? []).map((each) => `${each.name}: ${envText(each)}`)],
    [
      'Mounts',
      (spec.volumeMounts ?? []).map(({ name, mountPath, readOnly, subPath }) =>
        [`${mountPath} from ${name}`, subPath && `path ${subPath}`, readOnly && 'read-only']
          .filter(Boolean)
          .join(', '),
      ),
    ],
  ];
}

function stateText(state: ContainerState | undefined, nowMs: number): string | readonly string[] {
  if (state?.running) return ['Running', `since ${instant(state.running.startedAt, nowMs)}`];
  if (state?.waiting) return [`Waiting: ${state.waiting.reason ?? ''}`, ...lines(state.waiting.message)];
  if (!state?.terminated) return '';
  const { reason, exitCode, signal, startedAt, finishedAt, message } = state.terminated;
  const how = signal ? `signal ${signal}` : `exit code ${exitCode}`;
  return [
    `Terminated: ${reason ?? ''}, ${how}`,
    ...(finishedAt ? [`${startedAt ?? '?'} to ${instant(finishedAt, nowMs)}`] : []),
    ...lines(message),
  ];
}

const lines = (text: string | undefined): string[] => (text ? text.trimEnd().split('\n') : []);

function instant(timestamp: string | undefined, nowMs: number): string {
  const ms = Date.parse(timestamp ?? '');
  return Number.isNaN(ms) ? '' : `${timestamp} (${humanDuration(nowMs - ms)} ago)`;
}

const shellWords = (words: readonly string[] | undefined): string | readonly string[] =>
  (words ?? []).flatMap((word) => word.trimEnd().split('\n'));

function probeText(probe: Probe | undefined): string {
  if (!probe) return '';
  const {
    initialDelaySeconds = 0,
    periodSeconds = 10,
    timeoutSeconds = 1,
    successThreshold = 1,
    failureThreshold = 3,
  } = probe;
  return (
    `${probeSubject(probe)}, every ${periodSeconds}s after ${initialDelaySeconds}s, timeout ${timeoutSeconds}s, ` +
    `succeeds after ${successThreshold}, fails after ${failureThreshold}`
  );
}

function envText({ value = '', valueFrom }: EnvVar): string {
  if (!valueFrom) return value;
  const { configMapKeyRef, secretKeyRef, fieldRef, resourceFieldRef } = valueFrom;
  if (configMapKeyRef) return `key ${configMapKeyRef.key} of config map ${configMapKeyRef.name}`;
  if (secretKeyRef) return `key ${secretKeyRef.key} of secret ${secretKeyRef.name}`;
  if (fieldRef) return `field ${fieldRef.fieldPath}`;
  return `resource ${resourceFieldRef?.resource ?? ''}`;
}

/** The kind of the volume and the little that tells it from others of its kind. */
function volumeText({ name: _, ...sources }: Volume): string {
  return Object.entries(sources)
    .map(([kind, source]) => {
      const details = Object.entries((source ?? {}) as Record<string, unknown>)
        .filter(
          ([, value]) => typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean',
        )
        .map(([field, value]) => `${field}: ${String(value)}`);
      return [kind, details.length > 0 && `(${details.join(', ')})`].filter(Boolean).join(' ');
    })
    .join(', ');
}
