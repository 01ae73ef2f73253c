/** What pods write, on /rosout. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Log } from '../../../ros/messages/gen/rcl_interfaces.ts';
import { until } from '../../agent.ts';
import { bridgePlace, latched, manifest } from './place.ts';

const on = bridgePlace();
const { heard } = on;

describe('what a pod writes', () => {
  const ofPod = (log: Log[], name: string) =>
    log.filter((line) => line.name === `r2_d2.pods.default.${name}_robot`);

  it('is on /rosout where its annotation wants it, of every instance of its containers', async () => {
    const log = heard('/rosout', Log);
    await on.agent.start();
    const wanted = { annotations: `'roslet.dev/rosout': 'true'` };
    const script =
      'echo plain; echo bad >&2; echo "[ERROR] [1.5] [driver]: hot" >&2; sleep 1; echo end; exit 1';
    await on.agent.apply('loud.yaml', manifest('loud', script, wanted));
    await on.agent.apply('quiet.yaml', manifest('quiet', script));
    const once = [
      [Log.INFO, 'plain'],
      [Log.WARN, 'bad'],
      [Log.ERROR, '[driver]: hot'],
      [Log.INFO, 'end'],
    ];
    await until('both instances are told', async () => ofPod(log, 'loud').length >= 8, 60_000);
    const lines = ofPod(log, 'loud').slice(0, 8);
    expect(lines.map(({ level, msg }) => [level, msg])).toEqual([...once, ...once]);
    expect(new Set(lines.map(({ file }) => file))).toEqual(new Set(['main']));
    expect(ofPod(log, 'quiet')).toEqual([]);
    // Who comes later, as after a restart of the agent, is not told of old lines again.
    await on.agent.stop('SIGKILL');
    const fromHere = log.length;
    const startedMs = Date.now();
    await on.agent.start();
    await until('the next instance', async () => ofPod(log.slice(fromHere), 'loud').length >= 4, 60_000);
    const stamps = ofPod(log.slice(fromHere), 'loud').map(
      ({ stamp }) => stamp.sec * 1000 + stamp.nanosec / 1e6,
    );
    expect(Math.min(...stamps)).toBeGreaterThan(startedMs);
  });

  it('is passed on only so fast, and what is left out is counted', async () => {
    const log = heard('/rosout', Log, { ...latched, depth: 1000 });
    await on.agent.start();
    const script = 'i=0; while [ $i -lt 5000 ]; do i=$((i+1)); echo line $i; done; exec sleep 1000';
    await on.agent.apply(
      'flood.yaml',
      manifest('flood', script, { annotations: `'roslet.dev/rosout': 'true'` }),
    );
    const dropped = () =>
      ofPod(log, 'flood').reduce(
        (sum, { msg }) => sum + Number(/^(\d+) lines were dropped/.exec(msg)?.[1] ?? 0),
        0,
      );
    const passed = () => ofPod(log, 'flood').filter(({ msg }) => msg.startsWith('line ')).length;
    await until('all are accounted for', async () => dropped() + passed() === 5000, 30_000);
    expect(passed()).toBeLessThan(2500);
  });

  it('is followed over a rotation', async () => {
    await on.agent.configure(
      'containerLogMaxSize: 1Ki\ncontainerLogMaxFiles: 2\ncontainerLogMonitorInterval: 3s',
    );
    const log = heard('/rosout', Log, { ...latched, depth: 1000 });
    await on.agent.start();
    const script = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done';
    await on.agent.apply('a.yaml', manifest('a', script, { annotations: `'roslet.dev/rosout': 'true'` }));
    await until('it was rotated and went on', async () => ofPod(log, 'a').length > 200, 60_000);
    const logs = await readdir(join(on.agent.root, 'log', 'pods'), { recursive: true });
    expect(logs.filter((each) => /0\.log\./.test(each))).not.toEqual([]);
    const numbers = ofPod(log, 'a').map(({ msg }) => Number(msg.replace('line ', '')));
    expect(numbers).toEqual(numbers.map((_, index) => index + 1));
  });
});
