/**
 * The program's first file, so that Node knows where it keeps what it compiled before it compiles the rest. From the
 * source `main.ts` starts as well by itself.
 */
import module from 'node:module';
import { compileCacheDir } from './compile-cache.ts';

const dir = compileCacheDir(process.argv.slice(2));
if (dir !== undefined) module.enableCompileCache(dir);
void import('./main.ts');
