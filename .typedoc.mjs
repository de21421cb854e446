// The API reference: everything that users can import. A name without a comment fails it.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const root = import.meta.dirname

/** @type {Partial<import('typedoc').TypeDocOptions>} */
export default {
  name: 'Fieldwise',
  entryPoints: packages().flatMap(sourcesOfExports),
  packagesRequiringDocumentation: packages().map(({ manifest }) => manifest.name),
  tsconfig: 'test/tsconfig.json',
  // The `types` check does that.
  skipErrorChecking: true,
  out: 'api',
  readme: 'none',
  excludeInternal: true,
  excludeExternals: true,
  excludePrivate: true,
  disableGit: true,
  disableSources: true,
  hideGenerator: true,
  githubPages: false,
  validation: { notExported: true, invalidLink: true, rewrittenLink: true, notDocumented: true },
  // A property may say all there is to say by its name.
  requiredToBeDocumented: ['Class', 'Interface', 'TypeAlias', 'Function', 'Variable', 'Method', 'Accessor'],
  // The one thing that a clock does.
  intentionallyNotDocumented: [
    'fieldwise.MemoryStoreOptions.clock.__type.now',
    'fieldwise.SessionsOptions.clock.__type.now',
    'fieldwise/shared.SharedOptions.clock.__type.now',
    'fieldwise/store-contract.ContractHarness.clock.__type.now',
    'fieldwise/store-contract.StoreHost.clock.__type.now',
  ],
  treatWarningsAsErrors: true,
  treatValidationWarningsAsErrors: true,
}

function packages() {
  return readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
    .filter(({ manifest }) => !manifest.private)
}

/** @param {ReturnType<typeof packages>[number]} from */
function sourcesOfExports({ folder, manifest }) {
  const targets = Object.values(manifest.exports ?? {}).flatMap(({ types }) => (types ? [types] : []))
  return targets.map((types) => join(folder, types.replace('/dist/', '/src/').replace(/\.d\.ts$/, '.ts')))
}
