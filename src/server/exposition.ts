/** The Prometheus text format (0.0.4), for metrics that are read from somewhere when they are asked for. */

export interface MetricFamily {
  name: string;
  help: string;
  type: 'counter' | 'gauge' | 'histogram';
  samples: readonly MetricSample[];
}

export interface MetricSample {
  /** Of the family's name: what of a histogram it is. */
  suffix?: '_bucket' | '_sum' | '_count';
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

function line(name: string, { suffix, labels = {}, value, timestampMs }: MetricSample): string {
  const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text, /[\\\n"]/g)}"`);
  const where = pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
  const when = timestampMs === undefined ? '' : ` ${Math.round(timestampMs)}`;
  return `${name}${suffix ?? ''}${where} ${number(value)}${when}\n`;
}

const escaped = (text: string, special: RegExp): string =>
  text.replace(special, (char) => (char === '\n' ? '\\n' : `\\${char}`));

/** When the agent started: who scrapes tells by it whether counters began anew. */
export const processStartTime = (): MetricFamily => ({
  name: 'process_start_time_seconds',
  help: 'When the agent started, in seconds since the epoch.',
  type: 'gauge',
  samples: [{ value: performance.timeOrigin / 1000 }],
});

/** As Go reads it. */
function number(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf';
}
