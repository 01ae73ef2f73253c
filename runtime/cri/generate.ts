/**
 * Writes `gen/` from the two proto files: `node runtime/cri/generate.ts`. Needs protoc (Debian: protobuf-compiler);
 * the result is committed, so only a change of a proto file needs this.
 *
 * The options keep what is generated small and exact: 64-bit integers are bigints (CRI's nanoseconds do not fit a
 * number), enums are plain constants (Node strips types, it does not compile enums), and there is no JSON code and no
 * service code, because `methods.ts` is the table of calls.
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';

const here = import.meta.dirname;
const options = [
  'env=node',
  'esModuleInterop=true',
  'importSuffix=.ts',
  'forceLong=bigint',
  'enumsAsLiterals=true',
  'unrecognizedEnum=false',
  'outputJsonMethods=false',
  'outputServices=none',
  'outputClientImpl=false',
  'outputPartialMethods=false',
  'useExactTypes=false',
  'exportCommonSymbols=false',
  'snakeToCamel=keys',
];

execFileSync(
  'protoc',
  [
    `--plugin=${join(here, '../../node_modules/.bin/protoc-gen-ts_proto')}`,
    `--ts_proto_out=${join(here, 'gen')}`,
    ...options.map((option) => `--ts_proto_opt=${option}`),
    `--proto_path=${here}`,
    'runtime.proto',
    'containerd-events.proto',
  ],
  { stdio: 'inherit' },
);
