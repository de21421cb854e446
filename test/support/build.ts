import { build } from '../../.scripts/workspace.mjs'

/**
 * Builds what has changed, once for each run: programs that tests start as processes of their own use the built packages.
 * Type errors do not stop a run, since `tsc` builds all the same; the `types` check reports them.
 */
export default async function buildOnce(): Promise<void> {
  const { code, output } = await build()
  if (code !== 0) console.warn(`The build has errors:\n${output}`)
}
