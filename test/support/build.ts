import { build } from '../../.scripts/workspace.mjs'

/**
 * Builds what has changed, once for each run: programs that tests start as processes of their own use the built packages.
 * Type errors do not stop a run, since `tsc` builds all the same; the `types` check reports them.
 */
export default async function buildOnce(): Promise<void> {
  const { code, output } = await build()
  if (code === 0) return
  const errors = output.split('\n').filter((line) => line.includes('error TS'))
  console.warn(`The build has ${errors.length} errors, \`npm run types\` lists them. The first: ${errors[0]}`)
}
