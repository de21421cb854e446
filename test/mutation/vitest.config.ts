import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'
import { sourcesOfPackages } from '../vitest.config.js'
import { waits } from './waiting.js'

/** A mutant is killed by the first test that fails, so those that wait for sockets and timeouts come last. */
class UnitsFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((one, other) => Number(waits(one.moduleId)) - Number(waits(other.moduleId)))
  }
}

/** The tests that a mutant meets: fast ones, which do the same each time. Random draws, programs and whole runs are left out. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { alias: sourcesOfPackages() },
  test: {
    include: [
      'packages/memcached/src/lib/{protocol/**,connection}/*.test.ts',
      'packages/memcached/src/lib/fleet/server.test.ts',
      'packages/fieldwise/src/lib/{api/events,engine/*,format/{header,item},session/*}.test.ts',
    ],
    // The memory that instrumented code takes says nothing.
    exclude: ['**/session-{secrecy,sealing}.test.ts', '**/known-sessions.test.ts'],
    isolate: false,
    sequence: { sequencer: UnitsFirst },
    // Sets the timeouts.
    setupFiles: ['test/mutation/patience.ts'],
  },
})
