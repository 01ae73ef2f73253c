/** What the Kubernetes API accepts at a pod's `resize` (core validation of resizes): other cpu and memory of its containers. */
import { isDeepStrictEqual } from 'node:util';
import type { Container, Pod, StatusCause } from '../api/core.gen.ts';
import { isSidecar } from '../pods/identity.ts';
import { qosClass } from '../resources/qos.ts';
import { isTerminal } from './pod-update.ts';

export function podResizeErrors(old: Pod, wanted: Pod): StatusCause[] {
  if (isTerminal(old)) return [forbidden('spec', 'a pod that has ended cannot be resized')];
  if ([old, wanted].some(({ spec }) => spec?.resources !== undefined))
    return [forbidden('spec', 'pods with pod-level resources cannot be resized')];
  const [before, after] = [everyContainer(old), everyContainer(wanted)];
  if (!isDeepStrictEqual(before.map(nameOf), after.map(nameOf)))
    return [forbidden('spec', 'containers may not be renamed, added, removed or reordered on resize')];
  const causes = after.flatMap(({ path, container }, index) =>
    removals(path, before[index]!.container, container),
  );
  if (!isDeepStrictEqual(withoutResizable(wanted), withoutResizable(old)))
    causes.push(
      forbidden('spec', 'only cpu and memory resources of containers and sidecars are mutable on resize'),
    );
  if (qosClass(old) !== qosClass(wanted)) {
    const message = `Invalid value: "${qosClass(wanted)}": Pod QOS Class may not change as a result of resizing`;
    causes.push({ field: 'spec', message, reason: 'FieldValueInvalid' });
  }
  return causes;
}

const forbidden = (field: string, why: string): StatusCause => ({
  field,
  message: `Forbidden: ${why}`,
  reason: 'FieldValueForbidden',
});

interface At {
  path: string;
  container: Container;
}

const everyContainer = ({ spec }: Pod): At[] =>
  (['initContainers', 'containers'] as const).flatMap((list) =>
    (spec?.[list] ?? []).map((container, index) => ({ path: `spec.${list}[${index}]`, container })),
  );

const nameOf = ({ path, container }: At): string => `${path} ${container.name}`;

/** What is gone from a running container's cgroup would have to be taken from it: the kubelet cannot. */
function removals(path: string, before: Container, after: Container): StatusCause[] {
  return (['requests', 'limits'] as const).flatMap((kind) =>
    resizable
      .filter((name) => {
        const [was, is] = [before.resources?.[kind]?.[name], after.resources?.[kind]?.[name]];
        return was !== undefined && is === undefined;
      })
      .map((name) => forbidden(`${path}.resources.${kind}`, `resource ${kind} cannot be removed (${name})`)),
  );
}

const resizable = ['cpu', 'memory'] as const;

function withoutResizable({ spec }: Pod): unknown {
  const stripped = (container: Container): Container => {
    const { requests, limits, ...rest } = container.resources ?? {};
    return { ...container, resources: { ...rest, requests: others(requests), limits: others(limits) } };
  };
  const initContainers = spec?.initContainers?.map((each) => (isSidecar(each) ? stripped(each) : each));
  return JSON.parse(JSON.stringify({ ...spec, containers: spec?.containers.map(stripped), initContainers }));
}

const others = <T>({ cpu: _cpu, memory: _memory, ...rest }: Record<string, T> = {}): Record<string, T> =>
  rest;
