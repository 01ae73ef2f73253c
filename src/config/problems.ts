/** What is wrong with a configuration, all of it at once, each problem with its place. */
export interface ConfigProblem {
  /** `file:line:column`, a flag, or '' when the configuration as a whole is meant. */
  source: string;
  /** Path of the field; '' when none is meant. */
  path: string;
  message: string;
}

/** The configuration cannot be used; the message names every problem. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map(formatProblem).join('\n'));
    this.problems = problems;
  }
}

const formatProblem = ({ source, path, message }: ConfigProblem): string => {
  const field = [path, message].filter(Boolean).join(' ');
  return source ? `${source}: ${field}` : field;
};
