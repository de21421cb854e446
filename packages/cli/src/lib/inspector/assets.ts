import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import nodeModule from 'node:module'
import { BadConfigError } from 'fieldwise'

export interface Asset {
  readonly type: string
  readonly read: () => Promise<Buffer>
}

const html = 'text/html; charset=utf-8'
const css = 'text/css; charset=utf-8'
const script = 'text/javascript; charset=utf-8'
const svg = 'image/svg+xml'

/**
 * The files of the page by the names that the page knows them by. They are served as they are: the page's own code is plain JavaScript,
 * and the plotting library comes from its package, so that nothing is built and nothing is fetched from elsewhere.
 */
export const assets: ReadonlyMap<string, Asset> = new Map([
  ['', ofPage('index.html', html)],
  ['style.css', ofPage('style.css', css)],
  ['mark.svg', ofPage('mark.svg', svg)],
  ...[
    'main.js',
    'announcer.js',
    'dom.js',
    'figures.js',
    'fleet.js',
    'format.js',
    'history.js',
    'plots.js',
    'sessions.js',
    'timeline.js',
    'writes.js',
  ].map((name) => [name, ofPage(name, script)] as const),
  ['uplot.js', ofPackage('uplot/dist/uPlot.esm.js', script)],
  ['uplot.css', ofPackage('uplot/dist/uPlot.min.css', css)],
])

/** @throws {BadConfigError} in a bundle, which has the code without the files beside it. */
export function assertAssets(): void {
  if (here !== undefined && existsSync(folderOfPage(here))) return
  throw new BadConfigError(
    "The inspector serves files of its package, which a bundle does not have: leave the package out of it (in esbuild: external: ['@fieldwise/cli'])",
  )
}

/** Undefined in a bundle of CommonJS. */
const here: string | undefined = import.meta.url

/** From `dist` and from `src` the way is the same. */
function folderOfPage(from: string): URL {
  return new URL('../../../src/lib/inspector/page/', from)
}

function ofPage(name: string, type: string): Asset {
  return { type, read: () => readFile(new URL(name, folderOfPage(import.meta.url))) }
}

function ofPackage(path: string, type: string): Asset {
  return { type, read: () => readFile(nodeModule.createRequire(import.meta.url).resolve(path)) }
}
