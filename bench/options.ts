/** `--quick`: fewer rounds and pods, to see whether the benchmark works. */
export const quick: boolean = process.argv.includes('--quick');
