import { execFileSync } from 'node:child_process'
import { createDecipheriv, createHash, hkdfSync, randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { decodeHeader, encodeHeader } from '../packages/fieldwise/src/lib/format/header.js'
import { Memcached } from './support/memcached.js'
import { root } from './support/packages.js'

/** The guide is the only thing that this reader knows of the format: it goes by the tables, over a socket of its own. */
const guide = readFileSync(join(root, 'packages/fieldwise/guides/stored-format.md'), 'utf8')
const fieldLayout = layoutUnder('Bytes of a field')
const headerLayout = layoutUnder('Bytes of the header')
const sealedLayout = layoutUnder('Sealed items')

const schema = z.object({
  username: z.string(),
  cart: z.array(z.string()).default([]),
  visits: z.int().default(0),
  otp: z.string(),
  flash: z.string(),
  never: z.string(),
})
const minutes = 60_000
let server: Memcached
beforeAll(async () => {
  server = await Memcached.start()
})
afterAll(async () => server[Symbol.asyncDispose]())

describe.each(['binary', 'meta'] as const)('by the tables of the guide, what the %s protocol has stored', (protocol) => {
  test('gives the JSON of a field, with the header behind it to tell that the session lives', async () => {
    await using sessions = createSessions({ schema, store: memcachedStore(server.address, { protocol }), prefix: 'shop:' })
    const session = await sessions.create({ username: 'Zoë', cart: ['tea'] })

    const items = await get(`shop:${session.id}:username`, `shop:${session.id}:never`, `shop:${session.id}:@`)
    expect([...items.keys()]).toEqual([`shop:${session.id}:username`, `shop:${session.id}:@`])
    const [username, header] = [...items.values()] as [Buffer, Buffer]
    expect(textIn(read(username, fieldLayout), 'json')).toBe('"Zoë"')
    const says = read(header, headerLayout)
    expect(numberIn(says, 'created')).toBe(session.createdAt?.getTime())
    expect(numberIn(says, 'deadline') - numberIn(says, 'created')).toBe(12 * 60 * minutes)
    expect(numberIn(says, 'idle')).toBe(30 * minutes)
    expect(numberIn(says, 'fieldsUntil')).toBeGreaterThan(numberIn(says, 'created') + 60 * minutes)
    expect(numberIn(says, 'rotated')).toBe(0)
    expect(Object.keys(manifestIn(says))).toEqual(['username', 'cart'])
    expect(manifestIn(says).username).toEqual(read(username, fieldLayout).birth)
  })

  test('tells the owner of a session by the hash of the secret, also of the one before a rotation with grace', async () => {
    await using sessions = createSessions({ schema, store: memcachedStore(server.address, { protocol }) })
    const session = await sessions.create({ username: 'ada' })
    const before = hashOfSecret(session.token as string)
    expect(before).toEqual(read(await item(`${session.id}:@`), headerLayout).hash)

    await session.regenerate({ grace: '10s', persist: true })
    const says = read(await item(`${session.id}:@`), headerLayout)
    expect(says.hash).toEqual(hashOfSecret(session.token as string))
    expect(says.previousHash).toEqual(before)
    expect(numberIn(says, 'previousUntil') - numberIn(says, 'rotated')).toBe(10_000)
    expect((says.first as Buffer)[0]).toBe(0x18 + 1 + 2)
    expect(Object.keys(manifestIn(says))).toEqual(['username'])
  })

  test('tells a deleted field, one with a deadline, and one that another process has written before', async () => {
    const store = () => memcachedStore(server.address, { protocol })
    await using one = createSessions({ schema, store: store(), expires: { otp: '5m' } })
    await using other = createSessions({ schema, store: store() })
    const session = await one.create({ flash: 'Hello', otp: '123456', visits: 1 })
    await session.delete('flash')
    await (await other.open(session.token as string))?.increment('visits')

    const flash = read(await item(`${session.id}:flash`), fieldLayout)
    expect((flash.first as Buffer)[0]).toBe(0x10 + 1)
    expect(flash.json).toBeUndefined()
    const otp = read(await item(`${session.id}:otp`), fieldLayout)
    const untilUnset = numberIn(otp, 'deadline') - (session.createdAt as Date).getTime()
    expect(Math.abs(untilUnset - 5 * minutes)).toBeLessThan(1_000)
    expect(textIn(otp, 'json')).toBe('"123456"')
    const visits = read(await item(`${session.id}:visits`), fieldLayout)
    expect(numberIn(visits, 'writes')).toBe(1)
    expect(visits.earlier).toHaveLength(12)
    expect(textIn(visits, 'json')).toBe('2')
    const births = manifestIn(read(await item(`${session.id}:@`), headerLayout))
    expect(births).toEqual({ flash: flash.birth, otp: otp.birth, visits: visits.birth })
  })
})

test('by the tables of the guide a header tells the idle time that its fields are kept for, before the session has it', async () => {
  await using sessions = createSessions({ schema, store: memcachedStore(server.address) })
  const session = await sessions.create({ username: 'ada' })
  const says = read(beforeLongerLife(await item(`${session.id}:@`)), headerLayout)
  expect([numberIn(says, 'idle'), numberIn(says, 'fieldsIdle')]).toEqual([30 * minutes, 120 * minutes])
  expect(Object.keys(manifestIn(says))).toEqual(['username'])
})

test('by the tables of the guide a sealed item opens with the keys that it says how to derive', async () => {
  const master = randomBytes(32)
  const sealing = { keys: [master.toString('base64url')] }
  await using sessions = createSessions({ schema, store: memcachedStore(server.address), prefix: 'shop:', sealing })
  const session = await sessions.create({ username: 'ada' })

  const open = (sealed: Buffer, name: string) => {
    const { first, keyId, nonce, ciphertext, tag } = read(sealed, sealedLayout) as Record<string, Buffer>
    expect(keyId).toEqual(derived(master, 4, 'fieldwise key id'))
    const key = derived(master, 32, 'fieldwise session key', 'shop:', session.id as string)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce as Buffer)
    decipher.setAAD(pack(first as Buffer, keyId as Buffer, 'shop:', session.id as string, name)).setAuthTag(tag as Buffer)
    return Buffer.concat([decipher.update(ciphertext as Buffer), decipher.final()])
  }
  const username = open(await item(`shop:${session.id}:username`), 'username')
  expect(textIn(read(username, fieldLayout), 'json')).toBe('"ada"')
  const header = open(await item(`shop:${session.id}:@`), '@')
  expect(manifestIn(read(header, headerLayout))).toEqual({ username: read(username, fieldLayout).birth })
})

/**
 * Whoever works on Fieldwise need not have three other languages. So their programs run by a command of their own, where a missing one
 * is a failure, and the suite holds the tables by which they are written.
 */
const isEveryLanguage = process.env.FIELDWISE_LANGUAGES === 'all'
const readers = Object.entries({ python: pythonReader, php: phpReader, go: goReader }).filter(() => isEveryLanguage)

test.each(readers)(
  'the program in %s that the guide shows reads fields and headers, and knows their owner',
  async (name, reader) => {
    await using one = createSessions({ schema, store: memcachedStore(server.address), expires: { otp: '5m' } })
    await using other = createSessions({ schema, store: memcachedStore(server.address) })
    const session = await one.create({ username: 'Zoë', flash: 'Hello', otp: '123456', visits: 1 })
    await session.delete('flash')
    await (await other.open(session.token as string))?.increment('visits')
    await session.regenerate({ grace: '10s' })

    const fields = ['username', 'flash', 'otp', 'visits']
    const stored = await Promise.all([...fields, '@'].map((name) => item(`${session.id}:${name}`)))
    const [, , otp, , header] = stored.map((bytes) => bytes.toString('hex')) as [string, string, string, string, string]
    const work = mkdtempSync(join(tmpdir(), 'fieldwise-languages-'))
    try {
      const run = reader(work, codeIn(name))
      const secret = (session.token as string).slice(-43)
      const now = Date.now()
      expect(JSON.parse(run([secret, String(now), ...stored.map((bytes) => bytes.toString('hex'))]))).toEqual({
        fields: ['"Zoë"', null, '"123456"', '2'],
        deadline: (session.createdAt as Date).getTime() + 12 * 60 * minutes,
        names: fields.toSorted(),
        owns: true,
      })
      const stranger = 'A'.repeat(43)
      const later = JSON.parse(run([stranger, String(now + 6 * minutes), otp, header]))
      expect(later).toMatchObject({ fields: [null], owns: false })
      const longer = JSON.parse(run([secret, String(now), beforeLongerLife(Buffer.from(header, 'hex')).toString('hex')]))
      expect(longer).toMatchObject({ names: fields.toSorted(), owns: true })
    } finally {
      rmSync(work, { recursive: true, force: true })
    }
  },
)

/** A header as it is for a moment while `regenerate` gives its session an idle time of two hours. */
function beforeLongerLife(header: Buffer): Buffer {
  return encodeHeader({ ...decodeHeader(header), fieldsIdle: 120 * minutes })
}

interface Part {
  readonly name: string
  readonly bytes: string
  readonly present: string
}

type Parts = Readonly<Record<string, Buffer | undefined>>

/** The rows of the first table under a heading. */
function layoutUnder(heading: string): Part[] {
  const section = guide.slice(guide.indexOf(`\n## ${heading}\n`)).slice(1)
  const rows = section.matchAll(/^\| `(\w+)` \| (.+?) \| (always|(?:no )?flag \d) \|/gm)
  const end = section.indexOf('\n## ')
  return [...rows]
    .filter(({ index }) => end === -1 || index < end)
    .map(([, name, bytes, present]) => ({ name, bytes, present }) as Part)
}

/** Takes stored bytes apart as a table says. What is left over or missing is a mistake of the table. */
function read(bytes: Buffer, layout: readonly Part[]): Parts {
  const parts: Record<string, Buffer> = {}
  const flags = bytes[0] as number
  let at = 0
  for (const [index, part] of layout.entries()) {
    if (!isPresent(part, flags)) continue
    const after = layout.slice(index + 1).reduce((sum, { bytes }) => sum + Number(bytes), 0)
    const length = part.bytes === 'the rest' ? bytes.length - at - after : lengthOf(part, parts)
    parts[part.name] = bytes.subarray(at, at + length)
    at += length
  }
  expect(at).toBe(bytes.length)
  return parts
}

function isPresent({ present }: Part, flags: number): boolean {
  const [, no, flag] = /^(no )?flag (\d)$/.exec(present) ?? []
  return flag === undefined || ((flags & Number(flag)) !== 0) === (no === undefined)
}

/** `6`, or ``12 × `writes` ``. */
function lengthOf({ bytes }: Part, before: Parts): number {
  const [, each, counted] = /^(\d+)(?: × `(\w+)`)?$/.exec(bytes) as unknown as [string, string, string | undefined]
  return Number(each) * (counted === undefined ? 1 : numberIn(before, counted))
}

function numberIn(parts: Parts, name: string): number {
  const bytes = parts[name] as Buffer
  return bytes.readUIntBE(0, bytes.length)
}

function textIn(parts: Parts, name: string): string | undefined {
  return parts[name]?.toString('utf8')
}

/** "For each: length of the name (1), the name in ASCII, the birth of its item (4)". */
function manifestIn(parts: Parts): Record<string, Buffer> {
  let rest = parts.manifest as Buffer
  const births: Record<string, Buffer> = {}
  for (let left = numberIn(parts, 'fields'); left > 0; left--) {
    const end = 1 + (rest[0] as number)
    births[rest.toString('ascii', 1, end)] = rest.subarray(end, end + 4)
    rest = rest.subarray(end + 4)
  }
  expect(rest).toHaveLength(0)
  return births
}

function hashOfSecret(token: string): Buffer {
  const secret = token.slice(token.indexOf('.') + 1)
  return createHash('sha256').update(Buffer.from(secret, 'base64url')).digest()
}

function derived(master: Buffer, length: number, ...info: string[]): Buffer {
  return Buffer.from(hkdfSync('sha256', master, '', pack(...info), length))
}

function pack(...parts: (string | Buffer)[]): Buffer {
  const packed = parts.map((part) => Buffer.from(part as string))
  return Buffer.concat(packed.flatMap((part) => [Buffer.from([0, 0, 0, part.length]), part]))
}

async function item(key: string): Promise<Buffer> {
  return (await get(key)).get(key) as Buffer
}

/** A plain `get` of memcached's text protocol, in the order in which it answers. */
async function get(...keys: string[]): Promise<Map<string, Buffer>> {
  const socket = connect(server.port, '127.0.0.1')
  socket.write(`get ${keys.join(' ')}\r\n`)
  let answer = Buffer.alloc(0)
  for await (const chunk of socket) {
    answer = Buffer.concat([answer, chunk as Buffer])
    if (answer.subarray(-5).toString() === 'END\r\n') break
  }
  return itemsIn(answer)
}

function itemsIn(answer: Buffer): Map<string, Buffer> {
  const items = new Map<string, Buffer>()
  for (let at = 0; ; ) {
    const end = answer.indexOf('\r\n', at)
    const [, key, flags, length] = /^VALUE (\S+) (\d+) (\d+)$/.exec(answer.toString('latin1', at, end)) ?? []
    if (key === undefined) return items
    expect(flags).toBe('0')
    items.set(key, answer.subarray(end + 2, end + 2 + Number(length)))
    at = end + 2 + Number(length) + 2
  }
}

function codeIn(language: string): string {
  return new RegExp(`^\`\`\`${language}\n(.*?)^\`\`\``, 'ms').exec(guide)?.[1] as string
}

type Run = (args: readonly string[]) => string

function pythonReader(folder: string, code: string): Run {
  writeFileSync(
    join(folder, 'read.py'),
    `${code}
import json, sys
secret, now, *fields, last = sys.argv[1:]
says = header(bytes.fromhex(last))
fields = [field(bytes.fromhex(item), int(now)) for item in fields]
print(json.dumps({"fields": fields, "deadline": says["deadline"], "names": sorted(says["manifest"]), "owns": owns(secret, bytes.fromhex(last))}))
`,
  )
  return (args) => execFileSync('python3', [join(folder, 'read.py'), ...args], { encoding: 'utf8' })
}

function phpReader(folder: string, code: string): Run {
  writeFileSync(
    join(folder, 'read.php'),
    `<?php\n${code}
[, $secret, $now] = $argv;
$items = array_map('hex2bin', array_slice($argv, 3));
$last = array_pop($items);
$says = headerOf($last);
$names = array_keys($says['manifest']);
sort($names);
$fields = array_map(fn ($item) => field($item, (int) $now), $items);
echo json_encode(['fields' => $fields, 'deadline' => $says['deadline'], 'names' => $names, 'owns' => owns($secret, $last)]);
`,
  )
  return (args) => execFileSync('php', [join(folder, 'read.php'), ...args], { encoding: 'utf8' })
}

function goReader(folder: string, code: string): Run {
  writeFileSync(join(folder, 'read.go'), code.replace('package session', 'package main'))
  writeFileSync(
    join(folder, 'main.go'),
    `package main

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"sort"
	"strconv"
)

func main() {
	now, _ := strconv.ParseUint(os.Args[2], 10, 64)
	var fields []*string
	for _, text := range os.Args[3 : len(os.Args)-1] {
		item, _ := hex.DecodeString(text)
		value, err := Field(item, now)
		if err != nil {
			panic(err)
		}
		var shown *string
		if value != nil {
			text := string(value)
			shown = &text
		}
		fields = append(fields, shown)
	}
	last, _ := hex.DecodeString(os.Args[len(os.Args)-1])
	header, err := ReadHeader(last)
	if err != nil {
		panic(err)
	}
	var names []string
	for name := range header.Manifest {
		names = append(names, name)
	}
	sort.Strings(names)
	said := map[string]any{"fields": fields, "deadline": header.Deadline, "names": names, "owns": header.Owns(os.Args[1])}
	json.NewEncoder(os.Stdout).Encode(said)
}
`,
  )
  execFileSync('go', ['build', '-o', 'read', 'read.go', 'main.go'], {
    cwd: folder,
    env: { ...process.env, GO111MODULE: 'off', GOCACHE: join(folder, 'cache') },
    stdio: 'pipe',
  })
  return (args) => execFileSync(join(folder, 'read'), args, { encoding: 'utf8' })
}
