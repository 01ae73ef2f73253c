/** Who a host process runs as, by the host's own /etc/passwd and /etc/group. */
import { type ContainerSecurityContext, RuntimeError } from '../runtime.ts';
import { readIfPresent } from './files.ts';

export interface Identity {
  uid: number;
  gid: number;
  supplementalGroups: number[];
  home: string;
}

/** nogroup. The group 0 of images would open files of the host's root to a user that the host does not know. */
const unknownUserGid = 65534;

export async function identityOf(
  context: ContainerSecurityContext,
  etc = { passwd: '/etc/passwd', group: '/etc/group' },
): Promise<Identity> {
  const passwd = (await readIfPresent(etc.passwd)) ?? '';
  const group = (await readIfPresent(etc.group)) ?? '';
  return resolveIdentity(context, passwd, group);
}

export function resolveIdentity(
  context: Pick<
    ContainerSecurityContext,
    'runAsUser' | 'runAsGroup' | 'runAsUsername' | 'supplementalGroups' | 'supplementalGroupsPolicy'
  >,
  passwd: string,
  group: string,
): Identity {
  const users = records(passwd).map(([name, , uid, gid, , home]) => ({
    name,
    uid: Number(uid),
    gid: Number(gid),
    home,
  }));
  const { runAsUser, runAsUsername } = context;
  const user =
    runAsUser === undefined && runAsUsername
      ? users.find(({ name }) => name === runAsUsername)
      : users.find(({ uid }) => uid === (runAsUser ?? 0));
  if (runAsUser === undefined && runAsUsername && !user)
    throw new RuntimeError('InvalidArgument', `there is no user ${runAsUsername} in the host's /etc/passwd`);
  const uid = runAsUser ?? user?.uid ?? 0;
  const gid = context.runAsGroup ?? user?.gid ?? (uid === 0 ? 0 : unknownUserGid);
  const ofHost =
    context.supplementalGroupsPolicy === 'Strict' || !user
      ? []
      : records(group)
          .filter(([, , , members]) => members?.split(',').includes(user.name ?? ''))
          .map(([, , number]) => Number(number));
  const groups = [...new Set([gid, ...ofHost, ...context.supplementalGroups])].sort((a, b) => a - b);
  return { uid, gid, supplementalGroups: groups, home: user?.home || '/' };
}

const records = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => line.split(':'));
