/** The gauges of `/metrics` that count pods and containers by what they are at. */
import type { Registry } from 'prom-client';
import { lifecycles, type WorkingPod } from '../pods/working-pods.ts';
import { isStaticPod } from '../sources/source.ts';
import type { AgentView } from './agent-view.ts';
import { addGauge } from './gauge.ts';

export function addPods(registry: Registry, agent: AgentView): void {
  addGauge(registry, 'kubelet_running_pods', 'Pods that have a running sandbox.', [], (gauge) =>
    gauge.set(agent.runningSandboxes()),
  );
  addGauge(
    registry,
    'kubelet_running_containers',
    'Containers by their state.',
    ['container_state'],
    (gauge) => {
      const states = agent.pods().flatMap(statusesOf);
      gauge.set({ container_state: 'running' }, states.filter((each) => each.state?.running).length);
      gauge.set({ container_state: 'exited' }, states.filter((each) => each.state?.terminated).length);
      gauge.set(
        { container_state: 'created' },
        states.filter((each) => each.state?.waiting && each.containerID).length,
      );
    },
  );
  addGauge(
    registry,
    'kubelet_desired_pods',
    'Pods that should be here, by where they come from.',
    ['static'],
    (gauge) => {
      const ofFiles = agent.pods().filter(isStaticPod).length;
      gauge.set({ static: 'true' }, ofFiles);
      gauge.set({ static: '' }, agent.pods().length - ofFiles);
    },
  );
  addGauge(
    registry,
    'kubelet_active_pods',
    'Pods that are counted when others are admitted.',
    ['static'],
    (gauge) => {
      const active = agent.pods().filter(({ status }) => !isFinal(status?.phase));
      const ofFiles = active.filter(isStaticPod).length;
      gauge.set({ static: 'true' }, ofFiles);
      gauge.set({ static: '' }, active.length - ofFiles);
    },
  );
  addGauge(
    registry,
    'kubelet_managed_ephemeral_containers',
    'Ephemeral containers of the pods.',
    [],
    (gauge) =>
      gauge.set(
        agent.pods().reduce((total, { spec }) => total + (spec?.ephemeralContainers?.length ?? 0), 0),
      ),
  );
  addGauge(registry, 'kubelet_mirror_pods', 'Pods that mirror static ones in the API server.', [], (gauge) =>
    gauge.set(agent.mirrorPods()),
  );
  addWorking(registry, agent);
  addResizes(registry, agent);
}

/** Every combination that there can be, as who watches for orphans wants a zero too. */
function addWorking(registry: Registry, agent: AgentView): void {
  const kinds: [WorkingPod['config'], string[]][] = [
    ['desired', ['', 'true']],
    ['orphan', ['', 'true']],
    ['runtime_only', ['unknown']],
  ];
  addGauge(
    registry,
    'kubelet_working_pods',
    'Pods that the agent looks after, by what they are at, and whether they are wanted.',
    ['lifecycle', 'config', 'static'],
    (gauge) => {
      for (const [config, statics] of kinds)
        for (const lifecycle of lifecycles)
          for (const isStatic of statics) gauge.set({ lifecycle, config, static: isStatic }, 0);
      for (const { lifecycle, config, isStatic } of agent.workingPods()) {
        const known = config === 'runtime_only' ? 'unknown' : isStatic ? 'true' : '';
        gauge.inc({ lifecycle, config, static: known });
      }
    },
  );
}

function addResizes(registry: Registry, agent: AgentView): void {
  const conditions = (type: string) =>
    agent.pods().flatMap(({ status }) => status?.conditions?.filter((c) => c.type === type) ?? []);
  addGauge(
    registry,
    'kubelet_pod_pending_resizes',
    'Pods whose resize is not allocated, by the reason.',
    ['reason'],
    (gauge) => {
      for (const reason of ['Deferred', 'Infeasible']) {
        const pending = conditions('PodResizePending').filter((each) => each.reason === reason);
        gauge.set({ reason: reason.toLowerCase() }, pending.length);
      }
    },
  );
  addGauge(
    registry,
    'kubelet_pod_in_progress_resizes',
    'Pods whose resize is allocated and not applied yet.',
    [],
    (gauge) => gauge.set(conditions('PodResizeInProgress').length),
  );
}

const isFinal = (phase: string | undefined): boolean => phase === 'Succeeded' || phase === 'Failed';

const statusesOf = ({ status = {} }: ReturnType<AgentView['pods']>[number]) => [
  ...(status.initContainerStatuses ?? []),
  ...(status.containerStatuses ?? []),
];
