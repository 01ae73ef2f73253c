/** A process that is on the graph only until it has found a node and was found. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { DiscoveryOptions } from '../transport.ts';
import { subjectOf } from './subjects.ts';

const [subject = '', discovery = '', found] = process.argv.slice(2);
const transport = subjectOf(subject).open(JSON.parse(discovery) as DiscoveryOptions);
transport.createNode('passer_by', '/');
while (!transport.graph.nodes().some(({ name }) => name === found)) await sleep(10);
// The other one hears of this one, too.
await sleep(500);
await transport.close();
