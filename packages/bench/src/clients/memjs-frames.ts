import { Utils } from 'memjs'

type MakeRequestBuffer = (opcode: number, key: string, extras: Buffer | '', value: string, opaque: number) => Buffer

/** Its types do not say what memjs exports here. */
export const makeRequestBuffer: MakeRequestBuffer = (Utils as unknown as { makeRequestBuffer: MakeRequestBuffer })
  .makeRequestBuffer
