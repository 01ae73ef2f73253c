/**
 * Which specs of Kubernetes' end-to-end tests are run, as regular expressions that Go knows: of all names, those that
 * `focus` matches and none of `skip` does.
 */
export interface Selection {
  focus: string;
  skip: readonly string[];
}

export type SelectionName = 'node-conformance' | 'node-features';

export const selections: Readonly<Record<SelectionName, Selection>> = {
  'node-conformance': {
    focus: String.raw`\[NodeConformance\]`,
    skip: [String.raw`\[(Serial|Disruptive|Slow)\]`, String.raw`\[Feature:`],
  },
  /** What else a kubelet does by default: resize in place, sidecars, sleep hooks, resources of pods, exec, attach, logs, … */
  'node-features': {
    focus: [
      String.raw`\[sig-node\]`,
      String.raw`\[sig-cli\] (Kubectl (client Simple pod|exec|logs|Port forwarding)|kubectl debug)`,
    ].join('|'),
    skip: [
      String.raw`\[NodeConformance\]`,
      String.raw`\[(Serial|Disruptive|Flaky|NFS|DRA)\]`,
      String.raw`\[Feature:OffByDefault\]`,
      // What runc and the kernel of such a node lack, and what comes of programs that are not part of a node.
      'UserNamespaces|AppArmor|Mount propagation',
      'SSH|crictl|NodeProblem|NodeLogQuery|GPU|PodGarbage|CredentialProviders',
      // A network with DNS and services.
      'through an HTTP proxy|in-cluster config',
      // Minutes each, to see that nothing happens; and one that ends the whole run where the machine is busy.
      String.raw`should \*not\* be restarted|monotonically|idle connections|1000 times`,
    ],
  },
};
