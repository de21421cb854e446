import { build } from '../../.scripts/workspace.mjs'

/**
 * Builds what has changed, once for each run: programs that tests start as processes of their own use the built packages.
 * Types are not checked here; `npm run types` does.
 */
export default async function buildOnce(): Promise<void> {
  const { code, output } = await build()
  if (code !== 0) console.warn(`The build failed:\n${output}`)
}
