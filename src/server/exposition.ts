/** The Prometheus text format (0.0.4), for metrics that are read from somewhere when they are asked for. */

export interface MetricFamily {
  name: string;
  help: string;
  type: 'counter' | 'gauge';
  samples: readonly MetricSample[];
}

export interface MetricSample {
  labels?: Readonly<Record<string, string>>;
  value: number;
  /** Epoch: when the value was measured, where that is not now. */
  timestampMs?: number;
}

export const expositionType = 'text/plain; version=0.0.4; charset=utf-8';

/** A family without samples is left out. */
export function exposition(families: readonly MetricFamily[]): string {
  return families
    .filter(({ samples }) => samples.length > 0)
    .map(({ name, help, type, samples }) => {
      const lines = samples.map((sample) => line(name, sample));
      return `# HELP ${name} ${escaped(help, /[\\\n]/g)}\n# TYPE ${name} ${type}\n${lines.join('')}`;
    })
    .join('');
}

function line(name: string, { labels = {}, value, timestampMs }: MetricSample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text, /[\\\n"]/g)}"`);
  const where = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  const when = timestampMs === undefined ? '' : ` ${Math.round(timestampMs)}`;
  return `${name}${where} ${number(value)}${when}\n`;
}

const escaped = (text: string, special: RegExp): string =>
  text.replace(special, (char) => (char === '\n' ? '\\n' : `\\${char}`));

/** As Go reads it. */
function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
