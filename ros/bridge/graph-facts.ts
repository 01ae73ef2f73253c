/** Whether something is on the ROS graph, for pods that start after it. */
import type { Graph } from '../transport.ts';

export function isOnGraph(graph: Graph, kind: 'topic' | 'node' | 'service', name: string): boolean {
  switch (kind) {
    case 'topic':
      return graph.endpoints(name).some((endpoint) => endpoint.kind === 'publisher');
    case 'service':
      return graph.services().some((service) => service.name === name && service.servers > 0);
    case 'node':
      return graph
        .nodes()
        .some((node) => `${node.namespace === '/' ? '' : node.namespace}/${node.name}` === name);
  }
}
