import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { isFull } from './support/scale.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** They see what other files leave in memory, and what has been warned of once. */
const alone = ['packages/fieldwise/src/lib/engine/known-sessions.test.ts', 'packages/fieldwise/src/lib/api/events.test.ts']

export default defineConfig({
  root,
  resolve: { alias: sourcesOfPackages() },
  test: {
    projects: [
      { extends: true, test: { name: 'packages', include: ['packages/*/src/**/*.test.ts'], exclude: alone } },
      { extends: true, test: { name: 'alone', include: alone, isolate: true } },
      // Their programs use the built packages.
      { extends: true, test: { name: 'whole', include: ['test/**/*.test.ts'], globalSetup: ['test/support/build.ts'] } },
    ],
    // Loading vitest and the packages anew for each file took half of the time of small tests.
    isolate: false,
    // Half of what the tests do is wait for servers, browsers and programs; vitest alone would leave a core idle. At full size each
    // file has the machine to itself: there is time, and what is measured then is what the machine does.
    maxWorkers: isFull ? 1 : '100%',
    // Real servers and browsers on a busy machine. A test that needs to be fast says so itself.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    expect: { poll: { timeout: 30_000 } },
    slowTestThreshold: 10_000,
    coverage: {
      provider: 'v8',
      include: ['packages/*/src/**/*.ts'],
      exclude: ['**/*.test.ts', '**/*.test-d.ts', '**/testing/**'],
      reporter: ['text-summary', 'html'],
    },
  },
})

/** What a package exports from `dist`, tests take from `src`: a change is seen without a build, and coverage counts. */
export function sourcesOfPackages() {
  return readdirSync(`${root}/packages`).flatMap((folder) => {
    const { name, exports = {} } = JSON.parse(readFileSync(`${root}/packages/${folder}/package.json`, 'utf8'))
    return Object.entries<{ default?: string }>(exports)
      .filter(([, target]) => target.default?.endsWith('.js'))
      .map(([path, target]) => ({
        find: new RegExp(`^${name}${path.slice(1)}$`),
        replacement: `${root}/packages/${folder}/${sourceOf(target.default as string)}`,
      }))
  })
}

function sourceOf(built: string): string {
  return built.replace('./dist/', 'src/').replace(/\.js$/, '.ts')
}
