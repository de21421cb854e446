import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { sourcesOfPackages } from '../vitest.config.js'

/** The tests that a mutant meets: fast ones, which do the same each time. Random draws, programs and whole runs are left out. */
export default defineConfig({
  root: fileURLToPath(new URL('../..', import.meta.url)),
  resolve: { alias: sourcesOfPackages() },
  test: {
    include: [
      'packages/memcached/src/lib/{binary-wire,meta-wire,connection,greeting,server,expiry,fifo,inbox,key}.test.ts',
      'packages/fieldwise/src/lib/{field-writer,header,headers,item,renewals,session,session-*,sessions,visit}.test.ts',
    ],
    exclude: ['**/session-secrecy.test.ts'],
    testTimeout: 20_000,
  },
})
