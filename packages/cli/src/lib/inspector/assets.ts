import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'

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

/** From `dist` and from `src` the way is the same. */
const folder = new URL('../../../src/lib/inspector/page/', import.meta.url)

function ofPage(name: string, type: string): Asset {
  return { type, read: () => readFile(new URL(name, folder)) }
}

function ofPackage(path: string, type: string): Asset {
  return { type, read: () => readFile(createRequire(import.meta.url).resolve(path)) }
}
