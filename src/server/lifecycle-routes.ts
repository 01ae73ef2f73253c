/** Ours: the lifecycle states of the pods and changes of them, as ROS sees them, for the command line. */
import { lifecycleTransitions } from '../pods/lifecycle-machine.ts';
import type { AgentView } from './agent-view.ts';
import { badRequest } from './errors.ts';
import { type Route, sendJson } from './http.ts';
import { findPod } from './pod-lookup.ts';

export const lifecycleRoutes = (agent: AgentView): Route[] => [
  {
    methods: ['GET'],
    path: '/lifecycle',
    handle: ({ res }) => sendJson(res, 200, { items: agent.lifecycles() }),
  },
  {
    methods: ['POST'],
    path: '/lifecycle/{namespace}/{pod}/{transition}',
    // Answered when the pod is there, or will not get there.
    handle: async ({ params, res, signal }) => {
      const { namespace = '', pod = '', transition: wanted } = params;
      const transition = lifecycleTransitions.find((each) => each === wanted);
      if (transition === undefined) {
        throw badRequest(`"${wanted}" is no transition: use ${lifecycleTransitions.join(', ')}`);
      }
      const result = await agent.changeLifecycle(findPod(agent, namespace, pod), transition, signal);
      sendJson(res, 200, result);
    },
  },
];
