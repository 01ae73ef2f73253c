import { configDefaults, defineConfig } from 'vitest/config';
import { slowness } from './test/slowness.ts';

/** The machine is there for nothing but these tests, which may install the product on it. */
const isDisposable = process.env.ROSLET_DISPOSABLE_MACHINE !== undefined;

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          // Properties take their time on a busy machine.
          testTimeout: 60_000,
          // What is waited for happens soon, but on a busy machine not within the second that is the default.
          expect: { poll: { timeout: 30_000 } },
          include: [
            'src/**/*.test.ts',
            'runtime/**/*.unit.test.ts',
            'ros/**/*.unit.test.ts',
            'scripts/**/*.test.ts',
          ],
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/**/*.test.ts', 'runtime/contract.test.ts', 'ros/contract.test.ts'],
          exclude: [
            ...configDefaults.exclude,
            ...(isDisposable ? [] : ['test/packaging/{unified,systemd-driver}.test.ts']),
          ],
          testTimeout: 120_000 * slowness,
          hookTimeout: 180_000 * slowness,
          fileParallelism: false,
          // Whatever a test starts without saying where: nothing of it is for the network of the machine.
          env: { ROS_AUTOMATIC_DISCOVERY_RANGE: 'LOCALHOST' },
          expect: { poll: { timeout: 30_000 * slowness } },
        },
      },
    ],
  },
});
