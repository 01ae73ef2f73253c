/** What there is: API discovery, the version, and as much OpenAPI as kubectl needs to let the server validate. */
import { arch, platform } from 'node:os';
import { kubernetesMinor, kubernetesVersion } from '../version.ts';
import { isWritable, podSubresources, type ResourceName, resources } from './resources.ts';

export const versionInfo = (): object => ({
  major: '1',
  minor: kubernetesMinor,
  gitVersion: kubernetesVersion,
  gitCommit: '',
  gitTreeState: '',
  buildDate: '',
  goVersion: '',
  compiler: 'node',
  platform: `${platform()}/${arch() === 'x64' ? 'amd64' : arch()}`,
});

export const apiVersions = (): object => ({
  kind: 'APIVersions',
  versions: ['v1'],
  serverAddressByClientCIDRs: [],
});

export const apiGroups = (): object => ({ kind: 'APIGroupList', apiVersion: 'v1', groups: [] });

export function apiResources(): object {
  const entries = Object.entries(resources).flatMap(([name, info]) => [
    {
      name,
      singularName: info.singular,
      namespaced: info.namespaced,
      kind: info.kind,
      verbs: info.verbs,
      ...(info.shortNames && { shortNames: info.shortNames }),
      ...(info.categories && { categories: info.categories }),
    },
    ...(name === 'pods' ? subresources() : []),
  ]);
  return { kind: 'APIResourceList', groupVersion: 'v1', resources: entries };
}

const subresources = (): object[] =>
  Object.entries(podSubresources).map(([name, { kind, verbs }]) => ({
    name: `pods/${name}`,
    singularName: '',
    namespaced: true,
    kind,
    verbs,
  }));

export const openApiIndex = (): object => ({
  paths: { 'api/v1': { serverRelativeURL: '/openapi/v3/api/v1' } },
});

/** Only the parameters of PATCH: by them kubectl knows that the server takes `fieldValidation` and `dryRun`. */
export function openApiDocument(): object {
  const names = Object.keys(resources) as ResourceName[];
  const paths = names.filter(isWritable).map((name) => [
    `/api/v1/namespaces/{namespace}/${name}/{name}`,
    {
      patch: {
        operationId: `patchCoreV1Namespaced${resources[name].kind}`,
        parameters: ['dryRun', 'fieldManager', 'fieldValidation'].map((parameter) => ({
          name: parameter,
          in: 'query',
          schema: { type: 'string', uniqueItems: true },
        })),
        responses: { 200: { description: 'OK' } },
        'x-kubernetes-action': 'patch',
        'x-kubernetes-group-version-kind': { group: '', kind: resources[name].kind, version: 'v1' },
      },
    },
  ]);
  return {
    openapi: '3.0.0',
    info: { title: 'roslet', version: `v1.${kubernetesMinor}.0` },
    paths: Object.fromEntries(paths),
  };
}
