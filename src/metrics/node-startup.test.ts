import { expect, test } from 'vitest';
import { nodeStartup } from './node-startup.ts';

const at = (sinceStartMs: number) => ({ sinceStartMs, sinceBootMs: 60_000 + sinceStartMs });

test('the start of a node is told by its steps, each the first time', () => {
  const startup = nodeStartup();
  startup.reached('registering', at(500));
  startup.reached('registering', at(700));
  expect([...startup.seconds()]).toEqual([]);
  startup.reached('registered', at(1500));
  startup.reached('ready', at(3500));
  startup.reached('ready', at(9000));
  expect(Object.fromEntries(startup.seconds())).toEqual({
    kubelet_node_startup_pre_kubelet_duration_seconds: 60,
    kubelet_node_startup_pre_registration_duration_seconds: 0.5,
    kubelet_node_startup_registration_duration_seconds: 1,
    kubelet_node_startup_post_registration_duration_seconds: 2,
    kubelet_node_startup_duration_seconds: 63.5,
  });
});

test('nothing is told of a node that was there before, also when it is deleted and registered anew', () => {
  const startup = nodeStartup();
  startup.reached('registering', at(500));
  startup.reached('known', at(600));
  startup.reached('ready', at(900));
  startup.reached('registering', at(86_400_000));
  startup.reached('registered', at(86_401_000));
  startup.reached('ready', at(86_402_000));
  expect([...startup.seconds()]).toEqual([]);
});
