import { Gauge, type Registry } from 'prom-client';

/** A gauge that is read whenever it is asked for. */
export function addGauge(
  registry: Registry,
  name: string,
  help: string,
  labelNames: string[],
  set: (gauge: Gauge<string>) => void | Promise<void>,
): void {
  new Gauge<string>({
    name,
    help,
    labelNames,
    registers: [registry],
    async collect() {
      this.reset();
      await set(this);
    },
  });
}
