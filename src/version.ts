/** Which roslet this is, and which Kubernetes its API is that of. One place for the agent, its API and the CLI. */
import packageJson from '../package.json' with { type: 'json' };

export const version: string = packageJson.version;

/** The Kubernetes API whose semantics are served; clients compare their own version with it. */
export const kubernetesMinor = '34';

/** For clients that compare versions, which do not look at what is behind the "+". */
export const kubernetesVersion = `v1.${kubernetesMinor}.0+roslet.${version}`;
