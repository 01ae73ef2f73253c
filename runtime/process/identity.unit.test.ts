import { expect, test } from 'vitest';
import type { ContainerSecurityContext } from '../runtime.ts';
import { resolveIdentity } from './identity.ts';

const passwd = `root:x:0:0:root:/root:/bin/bash
# a comment
ros:x:1000:1001:ROS:/home/ros:/bin/bash
nohome:x:1002:1002::
`;
const group = `root:x:0:
ros:x:1001:
dialout:x:20:ros,other
video:x:44:other,ros
rosalind:x:50:rosalind
`;

const resolve = (context: Partial<ContainerSecurityContext>) =>
  resolveIdentity({ supplementalGroups: [], ...context }, passwd, group);

test.each<[string, Partial<ContainerSecurityContext>, [number, number, number[], string]]>([
  ['root when nothing is asked', {}, [0, 0, [0], '/root']],
  [
    'a number with its group, groups and home',
    { runAsUser: 1000 },
    [1000, 1001, [20, 44, 1001], '/home/ros'],
  ],
  ['a name', { runAsUsername: 'ros' }, [1000, 1001, [20, 44, 1001], '/home/ros']],
  ['the number before the name', { runAsUser: 0, runAsUsername: 'ros' }, [0, 0, [0], '/root']],
  ['a number that nobody has', { runAsUser: 4242 }, [4242, 65534, [65534], '/']],
  [
    'the group 0 for a number that nobody has, when asked',
    { runAsUser: 4242, runAsGroup: 0 },
    [4242, 0, [0], '/'],
  ],
  ['another group', { runAsUser: 1000, runAsGroup: 7 }, [1000, 7, [7, 20, 44], '/home/ros']],
  [
    'groups of the pod beside those of the host',
    { runAsUser: 1000, supplementalGroups: [99, 20] },
    [1000, 1001, [20, 44, 99, 1001], '/home/ros'],
  ],
  [
    'groups of the pod alone',
    { runAsUser: 1000, supplementalGroups: [99], supplementalGroupsPolicy: 'Strict' },
    [1000, 1001, [99, 1001], '/home/ros'],
  ],
  ['no home', { runAsUser: 1002 }, [1002, 1002, [1002], '/']],
])('%s', (_what, context, [uid, gid, supplementalGroups, home]) => {
  expect(resolve(context)).toEqual({ uid, gid, supplementalGroups, home });
});

test('a name that nobody has is refused', () => {
  expect(() => resolve({ runAsUsername: 'nobody-here' })).toThrow(/no user nobody-here/);
});
