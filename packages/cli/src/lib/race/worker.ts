import { once } from 'node:events'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { fieldwiseContender, naiveContender } from './contender.js'
import type { Progress, RaceOrder } from './course.js'

/** A thread of its own, as a web server would be a process of its own. It says when it is ready, waits for the start, and tells how far it is. */
export type { RaceOrder } from './course.js'

const reportInterval = 50

await run(parentPort as MessagePort, workerData as RaceOrder)

async function run(port: MessagePort, { course, side, increments, inFlight }: RaceOrder): Promise<void> {
  const contender = side === 'naive' ? naiveContender(course) : fieldwiseContender(course)
  const progress: { -readonly [name in keyof Progress]: number } = { acknowledged: 0, failed: 0 }
  const tell = () => port.postMessage({ ...progress })
  tell()
  await once(port, 'message')
  const reports = setInterval(tell, reportInterval)
  let left = increments
  const requests = async () => {
    while (left-- > 0) {
      await contender.increment().then(
        () => progress.acknowledged++,
        () => progress.failed++,
      )
    }
  }
  await Promise.all(Array.from({ length: inFlight }, requests))
  clearInterval(reports)
  tell()
  await contender.close()
  port.close()
}
