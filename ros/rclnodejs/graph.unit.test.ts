import { expect, it } from 'vitest';
import { serversProblem } from './graph.ts';

it.each([
  ['rmw_zenoh_cpp', expect.stringContaining('not known on rmw_zenoh_cpp')],
  ['rmw_fastrtps_cpp', undefined],
  ['rmw_cyclonedds_cpp', undefined],
])('on %s who asks for the servers of a service is told: %s', (rmw, problem) => {
  expect(serversProblem(rmw)).toEqual(problem);
});
