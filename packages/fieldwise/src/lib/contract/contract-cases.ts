import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { isFieldwiseError } from '../api/errors.js'
import type { StoreAnswer, StoreRequest, Version } from '../api/store.js'
import { type ContractCase, type ContractHarness, Scene, told } from './contract-harness.js'

/**
 * What every store must do, one case each. They use `node:assert` and no test runner; give each to the runner at hand with
 * {@link runContractCase}. A case whose `needs` gives a reason is left out for that store, and the reason is what to print.
 */
export const contractCases: readonly ContractCase[] = [
  ...resultCases(),
  ...valueCases(),
  ...keyCases(),
  ...sizeCases(),
  ...versionCases(),
  ...orderCases(),
  ...lifeCases(),
  ...timeCases(),
  ...placeCases(),
  ...outageCases(),
  ...closingCases(),
]

function resultCases(): ContractCase[] {
  const requirement = '"Not there" is a result, and results are named.'
  return [
    {
      title: 'get, replace, delete and touch of what is not there are missing',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const requests = [scene.get('a'), scene.replace('a', 'x'), scene.delete('a'), scene.touch('a', minute), scene.get('a')]
        await scene.expect(requests, ['missing', 'missing', 'missing', 'missing', 'missing'])
      },
    },
    {
      title: 'add stores where nothing is, and is a conflict where something is',
      requirement: 'add: stores only if nothing is there.',
      async run(harness) {
        const scene = new Scene(harness)
        await scene.expect([scene.add('a', 'first')], ['stored'])
        await scene.expect([scene.add('a', 'second')], ['conflict'])
        await scene.holds('a', 'first')
      },
    },
    {
      title: 'replace without a version stores over whatever is there',
      requirement: 'replace: stores only if something is there; without a version, whatever it is.',
      async run(harness) {
        const scene = new Scene(harness)
        await scene.expect([scene.add('a', 'first'), scene.replace('a', 'second'), scene.replace('a', 'third')], three('stored'))
        await scene.holds('a', 'third')
      },
    },
    {
      title: 'replace with the version that was read stores',
      requirement: 'replace: stores only if the very version given is there.',
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'first'))
        const { version } = await scene.read('a')
        await scene.expect([scene.replace('a', 'second', version)], ['stored'])
        await scene.holds('a', 'second')
      },
    },
    {
      title: 'delete removes an item once, and add may follow',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'first'))
        await scene.expect([scene.delete('a'), scene.delete('a'), scene.get('a')], ['done', 'missing', 'missing'])
        await scene.expect([scene.replace('a', 'late'), scene.add('a', 'second')], ['missing', 'stored'])
        await scene.holds('a', 'second')
      },
    },
    {
      title: 'touch leaves the value as it is',
      requirement: 'touch: changes neither value nor version.',
      async run(harness) {
        const scene = new Scene(harness)
        await scene.expect([scene.add('a', 'first'), scene.touch('a', 2 * minute)], ['stored', 'done'])
        await scene.holds('a', 'first')
      },
    },
    {
      title: 'renew gets the item as it is',
      requirement: 'renew: gets an item and sets its remaining life. Changes neither its value nor its version.',
      async run(harness) {
        const scene = new Scene(harness)
        const [nothing, , renewed] = await scene.answers(
          scene.renew('a', minute),
          scene.add('a', 'first'),
          scene.renew('a', minute),
        )
        assert.equal(told(nothing), 'missing')
        assert.ok(renewed?.result === 'found' && renewed.value.equals(Buffer.from('first')), `found, not ${told(renewed)}`)
        await scene.expect([scene.replace('a', 'second', renewed.version)], ['stored'])
      },
    },
    {
      title: 'requests change their own item only',
      requirement: 'Requests are for single items.',
      async run(harness) {
        const [one, other] = [new Scene(harness), new Scene(harness)]
        for (const scene of [one, other]) await scene.answers(scene.add('a', 'mine'), scene.add('ab', 'longer name'))
        await one.expect([one.replace('a', 'changed'), one.delete('ab')], ['stored', 'done'])
        await other.holds('a', 'mine')
        await other.holds('ab', 'longer name')
      },
    },
    {
      title: 'another client of the same items sees what was stored, changed and deleted',
      requirement: 'All items of one session live in one place.',
      async run(harness) {
        const here = new Scene(harness)
        const there = await here.elsewhere()
        await here.answers(here.add('a', 'first'))
        await there.holds('a', 'first')
        await there.expect([there.replace('a', 'second')], ['stored'])
        await here.holds('a', 'second')
        await here.expect([here.delete('a')], ['done'])
        await there.expect([there.get('a')], ['missing'])
      },
    },
  ]
}

function valueCases(): ContractCase[] {
  const requirement = 'A value is any sequence of bytes.'
  return [
    {
      title: 'a value comes back byte for byte, whatever is in it',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const everyByte = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
        const values = [everyByte, Buffer.alloc(3), Buffer.alloc(100, 0xff), Buffer.concat([everyByte.reverse(), everyByte])]
        const likeReplies = ['\r\n', 'END\r\n', 'HD\r\nEN\r\n', 'x\r\nVA 5 c1\r\nother\r\n', '\x81\0\0\0', 'ERROR\r\n'].map(
          (text) => Buffer.from(text, 'latin1'),
        )
        await eachIsKept(scene, [...values, ...likeReplies])
      },
    },
    {
      title: 'an empty value is a value, not a missing item',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', ''))
        await scene.holds('a', '')
        await scene.expect(
          [scene.add('a', 'second'), scene.replace('a', 'x'), scene.replace('a', '')],
          ['conflict', 'stored', 'stored'],
        )
        await scene.holds('a', '')
      },
    },
    {
      title: 'values of every length around the sizes of network reads come back whole',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const lengths = [1, 2, 1_459, 1_460, 1_461, 16_383, 16_384, 16_385, 65_535, 65_536, 65_537, 300_000]
        await eachIsKept(
          scene,
          lengths.map((length) => randomBytes(length)),
        )
      },
    },
    {
      title: 'what a caller does to a buffer after the answer changes nothing in the store',
      requirement: 'A value that was answered for is the store’s own.',
      async run(harness) {
        const scene = new Scene(harness)
        const written = Buffer.from('as it was')
        await scene.answers(scene.add('a', written))
        written.fill('!')
        const { value } = await scene.read('a')
        assert.equal(value.toString(), 'as it was')
        value.fill('?')
        await scene.holds('a', 'as it was')
      },
    },
    {
      title: 'a value that was read stays as it is while more is read',
      requirement: 'A value that was answered is the caller’s own.',
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'kept'), scene.add('b', randomBytes(30_000)))
        const { value } = await scene.read('a')
        for (let round = 0; round < 20; round++) await scene.answers(scene.get('b'), scene.get('b'))
        assert.equal(value.toString(), 'kept')
      },
    },
  ]
}

function keyCases(): ContractCase[] {
  return [
    {
      title: 'keys of up to 250 bytes, of every printable character, are kept apart',
      requirement: 'Keys are whole keys.',
      async run(harness) {
        const scene = new Scene(harness)
        const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join('')
        const longest = 'n'.repeat(250 - scene.key('').length)
        const names = [printable, longest, `${longest.slice(1)}m`, longest.slice(1)]
        await scene.answers(...names.map((name) => scene.add(name, `value of ${name}`)))
        for (const name of names) await scene.holds(name, `value of ${name}`)
      },
    },
    {
      title: 'a key that could end or extend a command is refused, and its neighbours are carried out',
      requirement: 'unsent: this request did not reach the server and never will.',
      async run(harness) {
        const scene = new Scene(harness)
        const tooLong = ['n'.repeat(251 - scene.key('').length), 'é'.repeat(200)]
        for (const name of [...tooLong, ' ', 'a b', 'a\r\nversion', 'a\0', 'a\x7f', '\t']) {
          const asked = [
            scene.get(name),
            scene.add(name, 'x'),
            scene.replace(name, 'x'),
            scene.delete(name),
            scene.touch(name, minute),
          ]
          const neighbour = randomUUID()
          const expected = [...asked.map(() => 'unsent BAD_ARGUMENT'), 'stored']
          await scene.expect([...asked, scene.add(neighbour, 'x')], expected)
          await scene.holds(neighbour, 'x')
        }
        const [empty] = await scene.answers({ op: 'get', key: '' })
        assert.equal(told(empty), 'unsent BAD_ARGUMENT')
      },
    },
  ]
}

function sizeCases(): ContractCase[] {
  const requirement =
    'largestValue: the largest value in bytes that can be stored. More is refused before sending, the old value is intact.'
  return [
    {
      title: 'a value of the largest size, and of one byte less, is stored and comes back',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const largest = await largestFor(scene, 'a')
        for (const length of [largest - 1, largest]) {
          const value = randomBytes(length)
          await scene.expect(
            [scene.delete('a'), scene.add('a', value), scene.replace('a', value)],
            ['missing', 'stored', 'stored'],
          )
          assert.ok((await scene.read('a')).value.equals(value))
          await scene.expect([scene.delete('a')], ['done'])
        }
      },
    },
    {
      title: 'a value of one byte more is refused, and the old value and its version stay good',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'old'))
        const { version } = await scene.read('a')
        const tooLarge = Buffer.alloc((await largestFor(scene, 'a')) + 1, 1)
        const refused = [scene.replace('a', tooLarge), scene.replace('a', tooLarge, version), scene.add('b', tooLarge)]
        await scene.expect([...refused, scene.get('b')], [...three('unsent VALUE_TOO_LARGE'), 'missing'])
        await scene.holds('a', 'old')
        await scene.expect([scene.replace('a', 'new', version)], ['stored'])
      },
    },
    {
      title:
        'a write that is refused for lack of memory stores nothing, and is told apart by whether the old value is still there',
      requirement: 'unsent: the server refused it, nothing has changed. lost: what was there before is gone.',
      needs: ({ exhausts }) => (exhausts ? undefined : 'this store never refuses an item for lack of memory'),
      async run(harness) {
        const scene = new Scene(harness)
        const names = ['conditional', 'unconditional', 'added']
        await scene.answers(...names.map((name) => scene.add(name, 'old')))
        const { version } = await scene.read('conditional')
        await harness.exhaust?.()
        const value = Buffer.alloc(300_000, 'new')
        const refused = [
          scene.replace('conditional', value, version),
          scene.replace('unconditional', value),
          scene.add('added', value),
          scene.add('nothing-before', value),
        ]
        // One at a time: an item that is deleted makes room for the next.
        for (const [index, request] of refused.entries()) {
          const [answer, found] = await scene.answers(request, { op: 'get', key: request.key })
          assert.ok(answer?.result === 'unsent' || answer?.result === 'lost', `it is refused, not ${told(answer)}`)
          assert.equal(answer.error.code, 'STORE_UNAVAILABLE')
          const isThere = answer.result === 'unsent' && index < names.length
          assert.equal(told(found), isThere ? 'found' : 'missing', `after '${answer.result}'`)
          if (found?.result === 'found') assert.equal(found.value.toString(), 'old')
        }
      },
    },
    {
      title: 'the largest size depends on the length of the key, up to 250 bytes',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const name = 'n'.repeat(250 - scene.key('').length)
        const largest = await largestFor(scene, name)
        await scene.expect([scene.add(name, Buffer.alloc(largest))], ['stored'])
        await scene.expect([scene.replace(name, Buffer.alloc(largest + 1))], ['unsent VALUE_TOO_LARGE'])
        assert.equal((await scene.read(name)).value.length, largest)
      },
    },
    {
      title: 'an error tells nothing of the value that it refused',
      requirement: 'No message, cause or property ever carries a stored value.',
      async run(harness) {
        const scene = new Scene(harness)
        const value = Buffer.alloc((await largestFor(scene, 'a')) + 1, 'canary')
        const answers = await scene.answers(scene.add('a', value), scene.add('a b', 'canary'))
        for (const answer of answers) {
          assert.ok(answer.result === 'unsent')
          assert.doesNotMatch(inspect(answer.error, { depth: 9, showHidden: true }), /canary|63 61 6e 61/)
        }
      },
    },
  ]
}

function versionCases(): ContractCase[] {
  const requirement = 'replace: stores only if the very version given is there.'
  return [
    {
      title: 'every write makes the versions that were read before it a conflict',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const writes = {
          replaced: [scene.replace('a', 'other')],
          'replaced by the same bytes': [scene.replace('a', 'first')],
          'deleted and added again': [scene.delete('a'), scene.add('a', 'first')],
        }
        for (const [how, requests] of Object.entries(writes)) {
          await scene.answers(scene.delete('a'), scene.add('a', 'first'))
          const { version } = await scene.read('a')
          await scene.answers(...requests)
          const before = (await scene.read('a')).value.toString()
          const [answer] = await scene.answers(scene.replace('a', 'stale', version))
          assert.equal(told(answer), 'conflict', how)
          await scene.holds('a', before)
        }
      },
    },
    {
      title: 'a version is good for one write',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'first'))
        const { version } = await scene.read('a')
        await scene.expect([scene.replace('a', 'second', version), scene.replace('a', 'third', version)], ['stored', 'conflict'])
        await scene.holds('a', 'second')
      },
    },
    {
      title: 'the version that a write is answered with, where it is, is good for the next write, and for no other',
      requirement: 'stored: `version` is that of what was just stored, where the store can tell.',
      async run(harness) {
        const scene = new Scene(harness)
        const next = async (request: StoreRequest) => {
          const [answer] = await scene.answers(request)
          assert.ok(answer?.result === 'stored', `stored, not ${told(answer)}`)
          return answer.version ?? (await scene.read('a')).version
        }
        const added = await next(scene.add('a', 'first'))
        const replaced = await next(scene.replace('a', 'second', added))
        await scene.expect([scene.replace('a', 'late', added)], ['conflict'])
        await next(scene.replace('a', 'third', replaced))
        await scene.expect([scene.replace('a', 'late', replaced)], ['conflict'])
        await scene.holds('a', 'third')
      },
    },
    {
      title:
        'of an item whose version is known a store that compares versions says that it is the same, and only as long as it is',
      requirement: 'same: the item is there, and it is that very version.',
      async run(harness) {
        const scene = new Scene(harness)
        const same = scene.store.traits.comparesVersions ? 'same' : 'found'
        await scene.answers(scene.add('a', 'first'), scene.add('b', 'first'))
        const { version } = await scene.read('a')
        const others = [(await scene.read('b')).version, {}]
        await scene.expect(
          [scene.compare('a', version), scene.touch('a', 2 * minute), scene.compare('a', version)],
          [same, 'done', same],
        )
        for (const other of others) await isAnother(scene, other)
        for (const writes of [[scene.replace('a', 'first')], [scene.delete('a'), scene.add('a', 'first')]]) {
          await scene.answers(...writes)
          await isAnother(scene, version)
        }
        await scene.expect([scene.delete('a'), scene.compare('a', version)], ['done', 'missing'])
      },
    },
    {
      title: 'get and touch leave the version as it is',
      requirement: 'touch: changes neither value nor version.',
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'first'))
        const { version } = await scene.read('a')
        await scene.answers(scene.get('a'), scene.touch('a', 2 * minute), scene.get('a'))
        await scene.expect([scene.replace('a', 'second', version)], ['stored'])
      },
    },
    {
      title: 'after a delete a version finds nothing, and adds nothing',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'first'))
        const { version } = await scene.read('a')
        await scene.expect(
          [scene.delete('a'), scene.replace('a', 'late', version), scene.get('a')],
          ['done', 'missing', 'missing'],
        )
      },
    },
    {
      title: 'the version of another item, and what is no version at all, are a conflict',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'first'), scene.add('b', 'first'))
        const { version } = await scene.read('b')
        await scene.expect([scene.replace('a', 'x', version), scene.replace('a', 'x', {})], ['conflict', 'conflict'])
        await scene.holds('a', 'first')
      },
    },
    {
      title: 'of two clients that write the same version exactly one stores, 50 times',
      requirement,
      async run(harness) {
        const here = new Scene(harness)
        const there = await here.elsewhere()
        await here.answers(here.add('a', 'begin'))
        for (let round = 0; round < 50; round++) {
          const [mine, theirs] = await Promise.all([here.read('a'), there.read('a')])
          const [one] = await Promise.all([
            here.answers(here.replace('a', `here ${round}`, mine.version)),
            there.answers(there.replace('a', `there ${round}`, theirs.version)),
          ]).then(([first, second]) => [[...first, ...second].map(told)])
          assert.deepEqual([...(one ?? [])].sort(), ['conflict', 'stored'])
          await here.holds('a', one?.[0] === 'stored' ? `here ${round}` : `there ${round}`)
        }
      },
    },
    {
      title: 'of 32 writes of the same version in one tick exactly one stores, and it is the one that is found',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'begin'))
        const { version } = await scene.read('a')
        const writes = Array.from({ length: 32 }, (_, writer) => scene.answers(scene.replace('a', `by ${writer}`, version)))
        const answers = (await Promise.all(writes)).map(([answer]) => told(answer))
        assert.equal(answers.filter((answer) => answer === 'stored').length, 1)
        assert.equal(answers.filter((answer) => answer === 'conflict').length, 31)
        await scene.holds('a', `by ${answers.indexOf('stored')}`)
      },
    },
  ]
}

function orderCases(): ContractCase[] {
  const requirement = 'The server carries the requests out in the order given, and the answers come in the same order.'
  return [
    {
      title: 'each request of a flight sees what those before it did',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const [a, get] = ['a', scene.get('a')]
        const changes = [get, scene.add(a, '1'), get, scene.replace(a, '2'), get, scene.delete(a), get, scene.add(a, '3'), get]
        const answers = await scene.answers(...changes)
        const results = ['missing', 'stored', 'found', 'stored', 'found', 'done', 'missing', 'stored', 'found']
        assert.deepEqual(answers.map(told), results)
        assert.deepEqual(valuesOf(answers), ['1', '2', '3'])
      },
    },
    {
      title: 'a header that is read last in a flight is not older than the fields before it',
      requirement,
      async run(harness) {
        const reader = new Scene(harness)
        const writer = await reader.elsewhere()
        await reader.answers(reader.add('field', '0'), reader.add('@', '0'))
        for (let round = 1; round <= 50; round++) {
          // The writer changes the header first, so a field's new value is never seen with the header from before.
          const writing = writer.answers(writer.replace('@', `${round}`), writer.replace('field', `${round}`))
          const [field, header] = valuesOf(await reader.answers(reader.get('field'), reader.get('@'))).map(Number)
          assert.ok((header ?? -1) >= (field ?? -1), `field ${field} was read with header ${header}`)
          await writing
        }
      },
    },
    {
      title: 'flights of one session that are sent one after the other are carried out in that order',
      requirement: 'All items of one session go over one ordered connection.',
      async run(harness) {
        const scene = new Scene(harness)
        const flights = [scene.answers(scene.add('a', '0'))]
        for (let round = 1; round <= 20; round++) flights.push(scene.answers(scene.replace('a', `${round}`), scene.get('a')))
        const [, ...rounds] = await Promise.all(flights)
        assert.deepEqual(
          rounds.map((answers) => valuesOf(answers)[0]),
          Array.from({ length: 20 }, (_, index) => `${index + 1}`),
        )
      },
    },
    {
      title: 'an empty flight has no answers',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const flight = await scene.fly([])
        assert.deepEqual([...flight.answers], [])
      },
    },
    {
      title: 'a flight of 1,001 requests has 1,001 answers, each its own',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const names = Array.from({ length: 500 }, (_, index) => `field${index}`)
        const adds = names.map((name) => scene.add(name, `value of ${name}`))
        const gets = names.map((name) => scene.get(name))
        const answers = await scene.answers(...adds, scene.get('none'), ...gets)
        assert.deepEqual(
          answers.slice(0, 500).map(told),
          adds.map(() => 'stored'),
        )
        assert.equal(told(answers[500]), 'missing')
        assert.deepEqual(
          valuesOf(answers),
          names.map((name) => `value of ${name}`),
        )
      },
    },
    {
      title: 'a refused request does not shift the answers of the others',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const tooLarge = Buffer.alloc((await largestFor(scene, 'a')) + 1)
        await scene.answers(scene.add('a', 'of a'), scene.add('b', 'of b'))
        const requests = [
          scene.get('a'),
          scene.replace('a', tooLarge),
          scene.get('b'),
          scene.get('bad key'),
          scene.get('a'),
          scene.get('c'),
        ]
        const answers = await scene.answers(...requests)
        const results = ['found', 'unsent VALUE_TOO_LARGE', 'found', 'unsent BAD_ARGUMENT', 'found', 'missing']
        assert.deepEqual(answers.map(told), results)
        assert.deepEqual(valuesOf(answers), ['of a', 'of b', 'of a'])
      },
    },
    {
      title: '64 flights of 64 sessions at once each get their own answers',
      requirement,
      async run(harness) {
        const scenes = Array.from({ length: 64 }, () => new Scene(harness))
        const adds = await Promise.all(
          scenes.map((scene) => scene.answers(scene.add('a', scene.sid), scene.add('b', 'x'.repeat(2_000)))),
        )
        assert.ok(adds.every((answers) => answers.every((answer) => answer.result === 'stored')))
        for (let round = 0; round < 5; round++) {
          const reads = await Promise.all(scenes.map((scene) => scene.answers(scene.get('b'), scene.get('none'), scene.get('a'))))
          assert.deepEqual(
            reads.map((answers) => valuesOf(answers)[1]),
            scenes.map((scene) => scene.sid),
          )
          assert.ok(reads.every((answers) => told(answers[1]) === 'missing'))
        }
      },
    },
    {
      title: '64 flights of one session at once each get their own answers',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        const names = Array.from({ length: 64 }, (_, index) => `field${index}`)
        await scene.answers(...names.map((name) => scene.add(name, `value of ${name}`)))
        const reads = await Promise.all(names.map((name) => scene.answers(scene.get(name))))
        assert.deepEqual(
          reads.map((answers) => valuesOf(answers)[0]),
          names.map((name) => `value of ${name}`),
        )
      },
    },
  ]
}

function lifeCases(): ContractCase[] {
  const requirement =
    'life is in milliseconds; the store counts it in steps of traits.lifeStep, so an item may go one step early or two late.'
  return [
    {
      title: 'an item is there while it lives, and missing to every request afterwards',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'first', 3 * scene.step))
        await harness.elapse(scene.step)
        const { version } = await scene.read('a')
        await harness.elapse(4 * scene.step)
        const requests = [
          scene.replace('a', 'x', version),
          scene.replace('a', 'x'),
          scene.touch('a', minute),
          scene.renew('a', minute),
          scene.delete('a'),
          scene.get('a'),
        ]
        await scene.expect(
          requests,
          requests.map(() => 'missing'),
        )
        await scene.expect([scene.add('a', 'second')], ['stored'])
        await scene.holds('a', 'second')
      },
    },
    {
      title: 'touch, renew and replace set the remaining life, longer or shorter',
      requirement: 'touch: sets the remaining life of an item.',
      async run(harness) {
        const scene = new Scene(harness)
        const [short, long] = [scene.step, minute]
        await scene.answers(
          scene.add('a', 'x', 2 * short),
          scene.add('b', 'x', 2 * short),
          scene.add('c', 'x', long),
          scene.add('d', 'x', long),
          scene.add('e', 'x', 2 * short),
          scene.add('f', 'x', long),
        )
        const { version } = await scene.read('b')
        const changes = [
          scene.touch('a', long),
          scene.replace('b', 'x', version, long),
          scene.touch('c', short),
          scene.replace('d', 'x', undefined, short),
          scene.renew('e', long),
          scene.renew('f', short),
        ]
        await scene.expect(changes, ['done', 'stored', 'done', 'stored', 'found', 'found'])
        await harness.elapse(4 * scene.step)
        await scene.expect(
          ['a', 'b', 'c', 'd', 'e', 'f'].map((name) => scene.get(name)),
          ['found', 'found', 'missing', 'missing', 'found', 'missing'],
        )
      },
    },
    {
      title: 'reading, and writes that are refused, leave the remaining life as it is',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'x', 2 * scene.step))
        const tooLarge = Buffer.alloc((await largestFor(scene, 'a')) + 1)
        const refused = [scene.add('a', 'y'), scene.replace('a', 'y', {}), scene.replace('a', tooLarge)]
        await scene.expect([scene.get('a'), ...refused], ['found', 'conflict', 'conflict', 'unsent VALUE_TOO_LARGE'])
        await harness.elapse(4 * scene.step)
        await scene.expect([scene.get('a')], ['missing'])
      },
    },
    {
      title: 'a life shorter than a step is neither for ever nor over at once',
      requirement,
      needs: ({ traits }) => (traits.lifeStep > 1 ? undefined : 'this store counts single milliseconds, so nothing is rounded'),
      async run(harness) {
        const scene = new Scene(harness)
        const life = scene.step / 5
        const answers = await scene.answers(
          scene.add('a', 'x', 1),
          scene.add('b', 'x', life),
          scene.add('c', 'x'),
          scene.touch('c', life),
          scene.add('d', 'x'),
          scene.replace('d', 'x', undefined, 1),
          ...['a', 'b', 'c', 'd'].map((name) => scene.get(name)),
        )
        assert.deepEqual(answers.slice(-4).map(told), ['found', 'found', 'found', 'found'])
        await harness.elapse(4 * scene.step)
        await scene.expect(
          ['a', 'b', 'c', 'd'].map((name) => scene.get(name)),
          ['missing', 'missing', 'missing', 'missing'],
        )
      },
    },
    {
      title: 'lives around and far beyond 30 days are stored, and the items are still there',
      requirement: 'life is in milliseconds, without a longest one: what a store cannot hold is clamped.',
      async run(harness) {
        const scene = new Scene(harness)
        const names = longLives.map((_, index) => `field${index}`)
        await scene.answers(...names.flatMap((name) => [scene.add(name, 'x'), scene.add(`${name}-touched`, 'x')]))
        const changes = longLives.flatMap((life, index) => [
          scene.replace(`field${index}`, 'x', undefined, life),
          scene.touch(`field${index}-touched`, life),
          scene.add(`field${index}-added`, 'x', life),
        ])
        await scene.expect(
          changes,
          longLives.flatMap(() => ['stored', 'done', 'stored']),
        )
        await harness.elapse(scene.step)
        const reads = names.flatMap((name) => [scene.get(name), scene.get(`${name}-touched`), scene.get(`${name}-added`)])
        await scene.expect(
          reads,
          reads.map(() => 'found'),
        )
      },
    },
    {
      title: 'lives around and beyond 30 days last as long as asked and end then',
      requirement,
      needs: ({ skipsTime }) => (skipsTime ? undefined : 'this harness really waits'),
      async run(harness) {
        for (const life of [29 * day, 30 * day, 30 * day + 1_000, 400 * day]) {
          const scene = new Scene(harness)
          await scene.answers(scene.add('a', 'x', life))
          await harness.elapse(life - scene.step)
          await scene.expect([scene.get('a')], ['found'])
          await harness.elapse(3 * scene.step)
          await scene.expect([scene.get('a')], ['missing'])
        }
      },
    },
    {
      title: 'get tells the remaining life, after add, replace and touch',
      requirement: 'found: life is the remaining life in milliseconds, where the store reports it.',
      needs: ({ traits }) => (traits.reportsLife ? undefined : 'this store does not report lives'),
      async run(harness) {
        const scene = new Scene(harness)
        const near = async (name: string, life: number) => {
          const told = (await scene.read(name)).life ?? Number.NaN
          assert.ok(told > life - 2 * scene.step - 250 && told <= life + 2 * scene.step, `${told} ms are told of ${life} ms`)
        }
        await scene.answers(scene.add('a', 'x', 100_000))
        await near('a', 100_000)
        await scene.answers(scene.replace('a', 'x', undefined, 200_000))
        await near('a', 200_000)
        for (const life of [50_000, ...longLives.slice(0, 4)]) {
          await scene.answers(scene.touch('a', life))
          await near('a', life)
        }
      },
    },
    {
      title: 'a life that is no length of time is refused, and what is there stays',
      requirement: 'life is in milliseconds and never 0.',
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'old'))
        for (const life of [0, -1, Number.NaN, Number.NEGATIVE_INFINITY]) {
          const refused = [scene.add('b', 'x', life), scene.replace('a', 'x', undefined, life), scene.touch('a', life)]
          await scene.expect([...refused, scene.get('b')], [...three('unsent BAD_ARGUMENT'), 'missing'])
          await scene.holds('a', 'old')
        }
      },
    },
  ]
}

function timeCases(): ContractCase[] {
  return [
    {
      title: 'now tells the time of the server, and never runs backwards',
      requirement: 'now: the present time of the server, in milliseconds since 1970.',
      async run(harness) {
        const scene = new Scene(harness)
        await isNow(harness, await scene.store.now(scene.sid, scene.deadline))
        let last = 0
        for (let round = 0; round < 20; round++) {
          const now = await scene.store.now(scene.sid, scene.deadline)
          assert.ok(now >= last, `${now} came after ${last}`)
          last = now
        }
      },
    },
    {
      title: 'the time of a flight lies between the times told before and after it',
      requirement: 'at: the server’s time when the answers had arrived.',
      async run(harness) {
        const scene = new Scene(harness)
        for (let round = 0; round < 10; round++) {
          const before = await scene.store.now(scene.sid, scene.deadline)
          const { at } = await scene.fly([scene.get('a')])
          const after = await scene.store.now(scene.sid, scene.deadline)
          assert.ok(before <= at && at <= after, `${before} <= ${at} <= ${after}`)
        }
      },
    },
    {
      title: 'the first flight already tells the time',
      requirement: 'at: the server’s time when the answers had arrived.',
      async run(harness) {
        const scene = new Scene(harness)
        const { at } = await scene.fly([scene.get('a')])
        await isNow(harness, at)
      },
    },
    {
      title: 'time passes on the server as it does here',
      requirement: 'now: the present time of the server, in milliseconds since 1970.',
      async run(harness) {
        const scene = new Scene(harness)
        const before = [await scene.store.now(scene.sid, scene.deadline), harness.clock.now()] as const
        await harness.elapse(1_200)
        const passed = (await scene.store.now(scene.sid, scene.deadline)) - before[0]
        const meant = harness.clock.now() - before[1]
        assert.ok(Math.abs(passed - meant) < 250, `${passed} ms passed there, ${meant} ms here`)
      },
    },
  ]
}

function placeCases(): ContractCase[] {
  const requirement =
    'place: the uuid as it is, or with the label of the server that will hold it. holds: its label names a server of this store.'
  return [
    {
      title: 'a placed sid is the uuid, bare or with a label, and is held by every client of the same items',
      requirement,
      async run(harness) {
        const another = await harness.another()
        for (let round = 0; round < 100; round++) {
          const uuid = randomUUID()
          const sid = harness.store.place(uuid)
          assert.match(sid, /^[0-9a-f-]{36}(~[A-Za-z0-9_-]{1,64})?$/)
          assert.ok(sid.startsWith(uuid))
          assert.ok(harness.store.holds(sid) && another.holds(sid))
        }
      },
    },
    {
      title: 'a sid with a foreign or malformed label is not held',
      requirement,
      async run(harness) {
        const sid = harness.store.place(randomUUID())
        const foreign = ['~no-such-server', '~', '~~', '~127.0.0.1:11211', '~__proto__', '~constructor', '~\r\n'].map(
          (label) => sid.slice(0, 36) + label,
        )
        for (const other of [...foreign, `${sid}~`, `${sid}~x`, `${sid}x~x`])
          assert.equal(harness.store.holds(other), false, inspect(other))
      },
    },
    {
      title: 'check resolves while every server answers',
      requirement: 'check: resolves when every server answers.',
      async run(harness) {
        await harness.store.check(new Scene(harness).deadline)
      },
    },
    {
      title: 'a store has a name, a timeout and a life step',
      requirement: 'What a store can and cannot do, as data.',
      async run({ store }) {
        assert.match(store.name, /^[a-z][a-z-]*$/)
        assert.ok(store.traits.timeout > 0 && store.traits.lifeStep > 0)
      },
    },
  ]
}

function outageCases(): ContractCase[] {
  const needs: ContractCase['needs'] = ({ breaks }) => (breaks ? undefined : 'this store cannot be cut off')
  return [
    {
      title: 'while the store is cut off every call ends in time, flights by answers, the others by STORE_UNAVAILABLE',
      requirement: 'An outage is an error, carried in the answer of each request that it hit. A flight never rejects.',
      needs,
      async run(harness) {
        const scene = new Scene(harness)
        // Long, so that an outage may begin within the first answer and no short answer slips through whole.
        await scene.answers(scene.add('a', 'x'.repeat(100)))
        await duringEachOutage(harness, async () => {
          const begun = harness.running()
          const flights = Array.from({ length: 20 }, () => scene.answers(scene.get('a'), scene.replace('a', 'y')))
          const others = [scene.store.now(scene.sid, scene.deadline), scene.store.check(scene.deadline)]
          const outcomes = await Promise.allSettled(others)
          for (const answers of await Promise.all(flights)) answers.forEach(isOutage)
          for (const answer of await scene.answers(scene.get('a'))) isOutage(answer)
          const [, check] = outcomes
          assert.ok(check?.status === 'rejected' && isFieldwiseError(check.reason, 'STORE_UNAVAILABLE'))
          assert.ok(harness.running() - begun < 2 * scene.store.traits.timeout + slack, 'every call ended in time')
        })
      },
    },
    {
      title: 'what is cut off in flight is answered, and what is answered unsent is never carried out',
      requirement: 'unsent: this request did not reach the server and never will.',
      needs,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('warm', 'x'))
        for (const [round, outage] of (harness.outages ?? []).entries()) {
          const names = Array.from({ length: 50 }, (_, index) => `field${round}-${index}`)
          const flights = names.map((name) => scene.answers(scene.add(name, 'x')))
          await outage.begin()
          const late = names.map((name) => scene.answers(scene.add(`${name}-late`, 'x')))
          const sent = [...(await Promise.all(flights)), ...(await Promise.all(late))].map(
            ([answer]) => told(answer).split(' ')[0],
          )
          await outage.end()
          await untilBack(scene)
          const found = await scene.answers(...[...names, ...names.map((name) => `${name}-late`)].map((name) => scene.get(name)))
          for (const [index, answer] of found.entries()) {
            assert.ok(['stored', 'unsent', 'open'].includes(sent[index] ?? ''), `add was answered ${sent[index]}`)
            if (sent[index] === 'unsent') assert.equal(told(answer), 'missing', outage.title)
          }
        }
      },
    },
    {
      title:
        'after an outage the store works again by itself, and a version from before it is never the same and never overwrites',
      requirement: 'conflict: the item has changed, or its version’s connection is gone and nothing was sent.',
      needs,
      async run(harness) {
        const scene = new Scene(harness)
        for (const outage of harness.outages ?? []) {
          await scene.answers(scene.delete('a'), scene.add('a', 'before'))
          const { version } = await scene.read('a')
          await outage.begin()
          await scene.answers(scene.get('a'))
          await outage.end()
          await untilBack(scene)
          await scene.answers(scene.delete('a'), scene.add('a', 'after'))
          await isAnother(scene, version)
          await scene.expect([scene.replace('a', 'stale', version)], ['conflict'])
          await scene.holds('a', 'after')
        }
      },
    },
  ]
}

function closingCases(): ContractCase[] {
  const requirement = 'close: flights that are under way are answered open or unsent. Afterwards nothing keeps the process alive.'
  return [
    {
      title: 'close settles what is under way',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'x'))
        const flights = Array.from({ length: 20 }, () => scene.answers(scene.get('a'), scene.replace('a', 'y')))
        await harness.store.close()
        for (const answers of await Promise.all(flights)) {
          assert.match(told(answers[0]), /^(found|open CLOSED|unsent CLOSED)$/)
          assert.match(told(answers[1]), /^(stored|open CLOSED|unsent CLOSED)$/)
        }
      },
    },
    {
      title: 'after close flights are answered unsent with CLOSED, and now and check reject with it',
      requirement,
      async run(harness) {
        const scene = new Scene(harness)
        await scene.answers(scene.add('a', 'x'))
        await harness.store.close()
        await scene.expect([scene.get('a'), scene.delete('a')], ['unsent CLOSED', 'unsent CLOSED'])
        await assert.rejects(scene.store.now(scene.sid, scene.deadline), { code: 'CLOSED' })
        await assert.rejects(scene.store.check(scene.deadline), { code: 'CLOSED' })
      },
    },
    {
      title: 'a store that was never used can be closed, and closing twice does no harm',
      requirement,
      async run({ store }) {
        await assert.doesNotReject(store.close())
        await assert.doesNotReject(store.close())
      },
    },
  ]
}

const minute = 60_000
const day = 86_400_000

const longLives = [29 * day, 30 * day, 30 * day + 1_000, 31 * day, 400 * day, 36_525 * day, Number.MAX_SAFE_INTEGER]

/** What a busy machine may take longer, in milliseconds, before a case calls it late. */
const slack = 500

/** How long a store may take to find its server again, in milliseconds. */
const patience = 10_000

function three(result: string): string[] {
  return [result, result, result]
}

function valuesOf(answers: readonly StoreAnswer[]): string[] {
  return answers.flatMap((answer) => (answer.result === 'found' ? [answer.value.toString('latin1')] : []))
}

async function isAnother(scene: Scene, version: Version): Promise<void> {
  const [answer] = await scene.answers(scene.compare('a', version))
  assert.match(told(answer), /^(found|changed)$/)
}

async function eachIsKept(scene: Scene, values: readonly Buffer[]): Promise<void> {
  const names = values.map((_, index) => `field${index}`)
  await scene.answers(...values.map((value, index) => scene.add(`field${index}`, value)))
  const answers = await scene.answers(...names.map((name) => scene.get(name)))
  for (const [index, value] of values.entries()) {
    const answer = answers[index]
    assert.ok(answer?.result === 'found' && answer.value.equals(value), `value ${index} of ${value.length} bytes is kept`)
  }
}

/** The store may learn its server's limit by connecting, so it is asked after a first flight. */
async function largestFor(scene: Scene, name: string): Promise<number> {
  await scene.answers(scene.get(name))
  const largest = scene.store.largestValue(scene.sid, scene.key(name).length)
  assert.ok(Number.isSafeInteger(largest) && largest > 0)
  return largest
}

async function isNow(harness: ContractHarness, time: number): Promise<void> {
  const now = harness.clock.now()
  // memcached tells whole seconds, and has its own since it began.
  assert.ok(Math.abs(time - now) <= 2_500, `the store says ${time} at ${now}`)
}

async function duringEachOutage(harness: ContractHarness, act: () => Promise<void>): Promise<void> {
  for (const outage of harness.outages ?? []) {
    await outage.begin()
    try {
      await act()
    } finally {
      await outage.end()
    }
    await untilBack(new Scene(harness))
  }
}

function isOutage(answer: StoreAnswer): void {
  assert.match(told(answer), /^(unsent|open) STORE_UNAVAILABLE$/)
}

async function untilBack(scene: Scene): Promise<void> {
  const givenUp = scene.harness.running() + patience
  while (scene.harness.running() < givenUp) {
    const [answer] = await scene.answers(scene.get('none'))
    if (answer?.result === 'missing') return
    await scene.harness.elapse(50)
  }
  assert.fail(`the store does not answer ${patience} ms after the outage`)
}
