/**
 * What kubectl shows of a node and of a pod, side by side: whatever the Go kubelet tells is told by roslet too. What
 * roslet tells beyond that is its own business.
 */
import { beforeAll, expect, it } from 'vitest';
import { until } from '../agent.ts';
import { type Bench, main, untilTerm } from './harness.ts';

type Benches = Record<'roslet' | 'go', Bench>;

export function shapeCases({ roslet, go }: Benches): void {
  const both = async <T>(look: (bench: Bench) => Promise<T>): Promise<[roslet: T, go: T]> =>
    Promise.all([look(roslet), look(go)]);

  beforeAll(async () => {
    await both(async (bench) => {
      await bench.kubectl('create', 'configmap', 'shape', '--from-literal=a=b');
      await bench.run('shape', {
        initContainers: [
          main('exit 0', { name: 'init' }),
          main(untilTerm, { name: 'sidecar', restartPolicy: 'Always' }),
        ],
        containers: [
          main(`[ -e /data/crashed ] || { touch /data/crashed; exit 1; }; ${untilTerm}`, {
            ports: [{ containerPort: 80, name: 'http' }],
            resources: { requests: { cpu: '10m', memory: '16Mi' }, limits: { memory: '64Mi' } },
            livenessProbe: { exec: { command: ['true'] } },
            volumeMounts: [
              { name: 'data', mountPath: '/data' },
              { name: 'config', mountPath: '/config', readOnly: true },
            ],
          }),
        ],
        volumes: [
          { name: 'data', emptyDir: {} },
          { name: 'config', configMap: { name: 'shape' } },
        ],
      });
      await bench.podUntil(
        'shape',
        'is ready after a crash',
        ({ status }) =>
          status?.containerStatuses?.[0]?.ready === true && status.containerStatuses[0].restartCount === 1,
      );
    });
  });

  it('kubectl describe node has every line', async () => {
    const [ours, theirs] = await both((bench) => bench.kubectl('describe', 'node', bench.node.name));
    expect(missing(headings(theirs), headings(ours))).toEqual([]);
    expect(headings(theirs)).toContain('Allocated resources > ephemeral-storage');
  });

  it('the Node has the events that tell how it is', async () => {
    const told = (bench: Bench) =>
      until('all are told', async () => {
        const reasons = await bench.nodeEventReasons();
        return reasons.includes('NodeReady') && reasons;
      });
    const [ours, theirs] = await both(told);
    // roslet has nothing against cgroup v1, and limits what pods have together without a word.
    expect(
      missing(theirs, ours).filter((reason) => !/^(CgroupV1|NodeAllocatableEnforced)$/.test(reason)),
    ).toEqual([]);
  });

  it('the Node has every field', async () => {
    const [ours, theirs] = await both((bench) => bench.get('node', bench.node.name));
    expect(missing(paths(theirs), paths(ours))).toEqual([]);
  });

  it('kubectl describe pod has every line', async () => {
    const [ours, theirs] = await both((bench) => bench.kubectl('describe', 'pod', 'shape'));
    expect(missing(headings(theirs), headings(ours))).toEqual([]);
  });

  it('the status of a pod has every field, with the same of what does not depend on time', async () => {
    const [ours, theirs] = await both((bench) => bench.pod('shape'));
    expect(missing(paths(theirs.status), paths(ours.status))).toEqual([]);
    const named = (list: { name: string }[] | undefined) => list?.map(({ name }) => name);
    expect(named(ours.status?.containerStatuses)).toEqual(named(theirs.status?.containerStatuses));
    for (const field of ['phase', 'qosClass', 'observedGeneration'] as const) {
      expect(ours.status?.[field], field).toEqual(theirs.status?.[field]);
    }
    expect(ours.metadata?.generation).toBe(theirs.metadata?.generation);
  });

  it('kubectl get pod -o wide and kubectl get node -o wide have every column', async () => {
    for (const what of ['pod', 'node']) {
      const [ours, theirs] = await both(async (bench) => {
        const name = what === 'pod' ? 'shape' : bench.node.name;
        const [, line = ''] = (await bench.kubectl('get', what, name, '-o', 'wide')).split('\n');
        return line
          .trim()
          .split(/ {2,}/)
          .map((cell) => (cell === '<none>' ? 'none' : 'something'));
      });
      expect(ours).toEqual(theirs);
    }
  });

  it('/stats/summary has every field', async () => {
    const summary = async (bench: Bench) => {
      const read = JSON.parse(await raw(bench, 'stats/summary')) as { node: object; pods: SummaryPod[] };
      const pod = read.pods.find(({ podRef }) => podRef.name === 'shape' && podRef.namespace === bench.kind);
      return paths({ node: read.node, pod });
    };
    // The Go kubelet measures volumes once a minute, and shows that a pod is there before it shows how it is.
    await until(
      'roslet shows what the Go kubelet shows',
      async () => {
        const [ours, theirs] = await both(summary);
        const lacking = missing(theirs, ours).filter((path) => !notMeasured.test(path));
        if (lacking.length > 0) throw new Error(`missing: ${lacking.join(', ')}`);
        return theirs.includes('.pod.volume[data].usedBytes');
      },
      90_000,
    );
  });

  it('the metrics that metrics-server reads are there', async () => {
    const [ours, theirs] = await both(async (bench) => metricNames(await raw(bench, 'metrics/resource')));
    expect(missing(theirs, ours)).toEqual([]);
  });

  it('the metrics of cAdvisor are there, but for what nobody looks at', async () => {
    const [ours, theirs] = await both(async (bench) => metricNames(await raw(bench, 'metrics/cadvisor')));
    expect(missing(theirs, ours).filter((name) => !ofNoUse.test(name))).toEqual([]);
  });

  it('the metrics of the kubelet itself are there, but for what has no counterpart', async () => {
    const [ours, theirs] = await both(async (bench) => metricNames(await raw(bench, 'metrics')));
    expect(missing(theirs, ours).filter((name) => !ofGo.test(name))).toEqual([]);
  });

  it('the metrics that alerts and dashboards group by have the labels for it', async () => {
    const labelled = async (bench: Bench) => {
      const texts = [await raw(bench, 'metrics'), await raw(bench, 'metrics/cadvisor')];
      return labelNames(texts.join('\n'), /^(kubelet|machine|volume|storage|rest_client|process)_/);
    };
    const [ours, theirs] = await both(labelled);
    const differing = [...theirs].filter(([name, labels]) => ours.has(name) && ours.get(name) !== labels);
    expect(differing).toEqual([]);
  });

  it('the metrics of probes are there, with latencies as quantiles, too', async () => {
    const names = (bench: Bench) =>
      until(
        'there are some',
        async () => {
          const found = metricNames(await raw(bench, 'metrics/probes'));
          return found.includes('prober_probe_total counter') && found;
        },
        60_000,
      );
    const [ours, theirs] = await both(names);
    expect(ours).toContain('roslet_probe_latency_seconds gauge');
    expect(missing(theirs, ours)).toEqual([]);
  });

  it('the configuration can be read', async () => {
    const [ours, theirs] = await both(async (bench) => JSON.parse(await raw(bench, 'configz')) as object);
    expect(Object.keys(ours)).toEqual(expect.arrayContaining(Object.keys(theirs)));
  });

  it('health and the list of pods can be read', async () => {
    const [ours, theirs] = await both((bench) => raw(bench, 'healthz'));
    expect(ours).toBe(theirs);
    const [ourPods, theirPods] = await both(async (bench) => {
      const { items } = JSON.parse(await raw(bench, 'pods')) as {
        items: { metadata: { name: string }; spec: object }[];
      };
      return items.find(({ metadata }) => metadata.name === 'shape')?.spec;
    });
    expect(missing(paths(theirPods), paths(ourPods))).toEqual([]);
  });
}

/** The kernel has no pressure for a cgroup of v1: the Go kubelet shows zeros, roslet what there is. */
const notMeasured = /^\.(pod|node\.systemContainers)\b.*\.(psi|io)\./;

/** Always 0 with the kubelet's cAdvisor, or of cgroup v2 alone, or of hardware and the library itself. */
const ofNoUse = new RegExp(
  [
    'container_(cpu_load|file_descriptors|pressure|scrape_error|sockets|tasks_state|ulimits)',
    'container_spec_memory_reservation',
    'container_fs_(io|read_seconds|reads_merged|sector|write_seconds|writes_merged)',
    'machine_(cpu_physical|cpu_sockets|nvm|scrape_error)',
  ].join('|'),
);

/** Of Go and its libraries, of what roslet does not have (device and CPU managers, CSI, …), or of how the kubelet does it. */
const ofGo = new RegExp(
  [
    '^(aggregator|apiserver|authentication|authorization|cardinality|csi|disabled|dra|go|hidden|registered)_',
    '^(force_cleaned|reconstruct|volume_operation_total|workqueue)_',
    '^kubernetes_feature_enabled',
    '^process_(network|virtual_memory_max)_',
    '^rest_client_(exec_plugin|rate_limiter|request_size|response_size|transport)_',
    '^kubelet_(cpu|memory|topology)_manager_',
    '^kubelet_(container_log_filesystem|cri_losing_support|evented_pleg|first_network_pod|graceful_shutdown)',
    '^kubelet_(lifecycle_handler|orphan_pod|pleg_discard|pod_worker_start|sleep_action|started_user_namespaced)',
    '^kubelet_volume_metric_collection',
  ].join('|'),
);

interface SummaryPod {
  podRef: { name: string; namespace: string };
}

const raw = (bench: Bench, path: string) =>
  bench.kubectl('get', '--raw', `/api/v1/nodes/${bench.node.name}/proxy/${path}`);

const missing = (wanted: string[], there: string[]) => wanted.filter((one) => !there.includes(one));

/** What a line of a description starts with, below which headings. */
function headings(description: string): string[] {
  const above: { indent: number; name: string }[] = [];
  const found: string[] = [];
  for (const line of description.split('\n')) {
    const [, space = '', name] = /^( *)([A-Za-z][\w/.() -]*?)(?::| {2})/.exec(line) ?? [];
    if (name === undefined) continue;
    while ((above.at(-1)?.indent ?? -1) >= space.length) above.pop();
    above.push({ indent: space.length, name });
    found.push(above.map((one) => one.name).join(' > '));
  }
  // What pods and events there are is another matter.
  return withoutRandom(found.filter((path) => !/^(Non-terminated Pods|Events) >/.test(path)));
}

/** Of every value: items of lists that have a type or name are told apart by it. */
function paths(value: unknown, path = ''): string[] {
  if (Array.isArray(value)) {
    return [...new Set(value.flatMap((item) => paths(item, `${path}[${item?.type ?? item?.name ?? ''}]`)))];
  }
  if (typeof value !== 'object' || value === null) return [path];
  return withoutRandom(Object.entries(value).flatMap(([key, below]) => paths(below, `${path}.${key}`)));
}

const withoutRandom = (names: string[]): string[] =>
  names.map((name) => name.replace(/kube-api-access-\w{5}/, 'kube-api-access'));

const metricNames = (text: string): string[] =>
  [...new Set([...text.matchAll(/^# TYPE (\w+ \w+)$/gm)].map(([, name]) => name!))].sort();

/** Of each metric, in order. */
function labelNames(text: string, wanted: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, name = '', labels = ''] of text.matchAll(/^(\w+)(?:\{(.*)\})? \S+/gm)) {
    if (!wanted.test(name)) continue;
    const names = [...labels.matchAll(/(\w+)="/g)].map(([, label]) => label);
    found.set(name, names.sort().join(' '));
  }
  return found;
}
