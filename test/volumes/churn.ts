/** Makes, changes and removes the volumes of a pod without end, to be killed by removal.test.ts: DIR POD-JSON. */
import type { Pod } from '../../src/api/core.gen.ts';
import { createMetrics } from '../../src/metrics/metrics.ts';
import { volumeManager } from '../../src/volumes/manager.ts';

const [podsDir = '', podJson = ''] = process.argv.slice(2);
const pod: Pod = JSON.parse(podJson);
const signal = new AbortController().signal;
let generation = 0;

const volumes = volumeManager({
  podsDir,
  objects: {
    configMap: async () => ({ data: { [`key${generation % 3}`]: `${generation}`, same: 'same' } }),
    secret: async () => ({ stringData: { generation: `${generation}` } }),
    onObjectChange: () => () => {},
  },
  allocatable: () => ({}),
  metrics: createMetrics(),
});

process.stdout.write('churning\n');
for (;;) {
  await volumes.setUp(pod, signal);
  for (let change = 0; change < 3; change += 1) {
    generation += 1;
    await volumes.refresh(pod, signal);
    await volumes.bindSubPath(pod, 'cm', { container: 'c', index: 0, subPath: 'same' }, signal);
    await volumes.bindSubPath(pod, 'memory', { container: 'c', index: 1, subPath: 'a/b' }, signal);
  }
  await volumes.removePodDir(pod.metadata?.uid ?? '', signal);
}
