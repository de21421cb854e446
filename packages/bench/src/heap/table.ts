import { count, percent } from '../lib/figures.js'
import { Memcached } from '../lib/memcached.js'
import { Remote } from '../lib/remote.js'
import type { Scale, Section, Table } from '../lib/table.js'
import type { HeapApi, HeapStore, Heaps } from './worker.js'

const storeNames: readonly HeapStore[] = ['memory', 'binary', 'meta']

export const heapTable: Table = {
  name: 'heap',
  title: 'Heap: what open sessions and long use take in the web server',
  async run(scale: Scale): Promise<Section> {
    await using memcached = await Memcached.start()
    const [sessions, operations] = scale.isQuick ? [2_000, 50_000] : [20_000, 1_000_000]
    const opened: string[][] = []
    const worked: string[][] = []
    for (const storeName of storeNames) {
      scale.screen.step(`measuring: ${storeName}`)
      const open = await inFreshProcess('open', { storeName, address: memcached.address, count: sessions })
      opened.push([storeName, count((open.after - open.before) / sessions)])
      const work = await inFreshProcess('work', { storeName, address: memcached.address, count: operations })
      worked.push([storeName, mebibytes(work.before), mebibytes(work.after), percent(work.after / work.before - 1)])
    }
    return {
      text,
      grids: [
        { caption: `${sessions.toLocaleString('en')} sessions held open`, columns: ['store', 'bytes each'], rows: opened },
        {
          caption: `${operations.toLocaleString('en')} operations, 64 in flight, a quarter of them updates`,
          columns: ['store', 'MiB before', 'MiB after', 'change'],
          rows: worked,
        },
      ],
      charts: [],
    }
  },
}

const text = `What is in use after a full garbage collection, buffers outside of V8's heap included.
Each line comes from a process of its own.
An open session is one whose token was verified and one of whose fields was read; a request holds it until it ends.
What Fieldwise remembers without a session being held (the headers read last) is there before and not counted.
The operations follow a fifth as many that do not count.`

interface Order {
  readonly storeName: HeapStore
  readonly address: string
  readonly count: number
}

async function inFreshProcess(what: 'open' | 'work', order: Order): Promise<Heaps> {
  await using remote = new Remote<HeapApi>(new URL('./worker.js', import.meta.url), `heap, ${order.storeName}`, ['--expose-gc'])
  return await remote.call(what, order)
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(2)
}
