/**
 * `make bench [PART=core|node|ros]`: measures the built agent from the outside and prints a table for each part. Nothing
 * is asserted: machines differ and are shared. Each part also runs alone: `node bench/node.ts [--quick]`.
 */
const parts = ['core', 'node', 'ros'];

const asked = process.argv.slice(2).filter((argument) => !argument.startsWith('-'));
const unknown = asked.filter((part) => !parts.includes(part));
if (unknown.length > 0) {
  console.error(`bench: no part ${unknown.join(', ')}; there are ${parts.join(', ')}`);
  process.exit(1);
}
for (const part of parts) if (asked.length === 0 || asked.includes(part)) await import(`./${part}.ts`);
