/** Writes ever newer values of a few records until it is killed, and prints each one that the store says it holds. */
import { silentLogger } from '../../src/log.ts';
import { openStore } from '../../src/store/store.ts';

const [dir, firstValue] = process.argv.slice(2);
const store = await openStore(dir!, silentLogger());
const keys = ['a', 'b', 'c'];
for (let value = Number(firstValue); ; value += 1) {
  const key = keys[value % keys.length]!;
  await store.put('numbers', key, { value, padding: 'x'.repeat(value % 20_000) });
  process.stdout.write(`${key} ${value}\n`);
}
