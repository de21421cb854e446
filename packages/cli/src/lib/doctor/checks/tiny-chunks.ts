import { figure } from '../examination.js'
import { type Check, danger } from '../finding.js'

// An item's key and header do not fit into one chunk that is smaller.
const smallestChunk = 512

/** memcached 1.6.18 takes the option in bytes, though its help says kilobytes. */
export const checkTinyChunks: Check = ({ settings }) => {
  const chunk = figure(settings, 'slab_chunk_max')
  if (chunk === undefined || chunk >= smallestChunk) return undefined
  return danger(
    'tiny-chunks',
    `It takes slab_chunk_max as ${chunk} bytes and would crash when it stores an item. Fieldwise refuses it.`,
    'Leave out -o slab_chunk_max; the default is good.',
  )
}
