/**
 * Each rule of the protocol, and how the core is without it: exact replacements in its sources. Where the sources have moved on, the
 * replacement is not found and the run fails; then it is to be written anew.
 */
export interface Mutant {
  readonly rule: string
  /** What is left out, or done instead. */
  readonly what: string
  readonly replacements: readonly { readonly file: string; readonly from: string; readonly to: string }[]
  /** The scenarios that may notice, the likeliest first. */
  readonly scenarios: readonly string[]
  /** Why nothing can notice, for a rule that saves work or an `OUTCOME_UNKNOWN` and nothing else. */
  readonly harmless?: string
  /** The test that holds a rule which chance alone hardly ever needs. */
  readonly heldBy?: string
}

/** What launch.mjs lends to its programs. */
export interface Launcher {
  /** Builds the core with replacements, into a folder of its own. */
  compile(replacements: Mutant['replacements']): string
  discard(folder: string): void
  /** What is wrong with replacements: the sources have moved on. */
  check(replacements: Mutant['replacements']): string[]
  readonly root: string
}

/** A name for a mutant: its rule, and a letter where there are several. */
export function labelOf(mutant: Mutant): string {
  const siblings = mutants.filter((other) => other.rule === mutant.rule)
  return siblings.length === 1 ? mutant.rule : `${mutant.rule}${'abcdefgh'[siblings.indexOf(mutant)]}`
}

export const mutants: readonly Mutant[] = [
  {
    rule: 'C1',
    what: 'every attempt to create uses the id and the secret of the first',
    replacements: [
      {
        file: 'session/creation.ts',
        from: `      const sid = context.store.place(uuid({ random: context.environment.bytes(16) }))
      return await attemptCreation(context, { sid, secret: newSecret(context.environment) }, values, options)`,
        to: `      const sid = context.store.place(uuid({ random: context.environment.bytes(16) }))
      options.token ??= { sid, secret: newSecret(context.environment) }
      return await attemptCreation(context, options.token, values, options)`,
      },
    ],
    scenarios: ['create-and-end'],
  },
  {
    rule: 'C2',
    what: 'a change of the header adds it where it is gone',
    replacements: [
      {
        file: 'engine/header-swap.ts',
        from: `const requests = list ? ([request, list] as const) : ([request] as const)`,
        to: `const requests = [request, { ...request, op: 'add' }]`,
      },
    ],
    scenarios: ['create-and-end'],
  },
  {
    rule: 'R1',
    what: 'the header is touched before the token is verified',
    replacements: [
      {
        file: 'session/session-reads.ts',
        from: `if (standing.state.is === 'unopened' && this.#verify(token, snapshot) === 'over')`,
        to: `this.#engine.renewals.consider(snapshot, standing)
      if (standing.state.is === 'unopened' && this.#verify(token, snapshot) === 'over')`,
      },
    ],
    scenarios: ['create-and-end'],
  },
  {
    rule: 'R1',
    what: 'a secret that is wrong is let in',
    replacements: [
      {
        file: 'session/verification.ts',
        from: '  return classification\n',
        to: `  return classification === 'unknown' ? 'current' : classification\n`,
      },
      {
        file: 'format/classification.ts',
        from: 'return Math.max(header.rotated + longest, graceOf(header, hash))',
        to: 'return Number.POSITIVE_INFINITY',
      },
    ],
    scenarios: ['create-and-end'],
  },
  {
    rule: 'R1',
    what: 'a flight reads the header first and the fields behind it',
    replacements: [
      {
        file: 'engine/reader.ts',
        from: 'requests[fields.length] = this.#known.headerRequest(sid, known)',
        to: 'requests.pop()\n    requests.unshift(this.#known.headerRequest(sid, known))',
      },
      { file: 'engine/reader.ts', from: 'answers[fields.length], known', to: 'answers[0], known' },
      {
        file: 'engine/reader.ts',
        from: 'const found = foundIn(answers[index])',
        to: 'const found = foundIn(answers[(answers.length === 1 ? 0 : 1) + index])',
      },
    ],
    scenarios: ['absent-field', 'create-and-end', 'eviction', 'header-races', 'one-field'],
  },
  {
    rule: 'R2',
    what: 'births are not compared',
    replacements: [
      {
        file: 'format/item.ts',
        from: 'return isItem && bytes.readInt32BE(1 + writeIdLength) !== birth',
        to: 'return false',
      },
    ],
    scenarios: ['eviction'],
    heldBy:
      'item.test.ts and lost-answer.test.ts, “and is carried out after the item of the second attempt was evicted: it is not taken for it”',
  },
  {
    rule: 'R2',
    what: 'an add that is sent again keeps its birth',
    replacements: [
      {
        file: 'engine/field-swap.ts',
        from: '?? listed ?? ids.birth()',
        to: '?? listed ?? (this.birth ??= ids.birth())',
      },
    ],
    scenarios: ['eviction'],
    heldBy: 'lost-answer.test.ts, “and was not applied: it is sent again under another birth (R2)”',
  },
  {
    rule: 'R2',
    what: 'a later write gives the item another birth',
    replacements: [{ file: 'engine/field-swap.ts', from: 'stored.item?.birth ?? listed ??', to: 'listed ??' }],
    scenarios: ['header-races', 'eviction'],
  },
  {
    rule: 'R3',
    what: 'a listed field that is missing is lost at once, without a second read',
    replacements: [
      {
        file: 'engine/reader.ts',
        from: 'this.#lookAgain(snapshot.sid, fields, deadline)',
        to: 'this.#lookAgain(snapshot, fields, deadline)',
      },
      { file: 'engine/reader.ts', from: '#lookAgain(sid: string, ', to: '#lookAgain(second: Snapshot, ' },
      { file: 'engine/reader.ts', from: 'const second = await this.read(sid, fields, deadline)', to: '' },
    ],
    scenarios: ['header-races', 'continuous-use'],
  },
  {
    rule: 'R3',
    what: 'a listed field that is missing is unset',
    replacements: [
      {
        file: 'engine/reader.ts',
        from: `if (lost !== undefined) throw new EndOfSession(second, new SessionGoneError('lost', lost))`,
        to: '',
      },
    ],
    scenarios: ['eviction'],
  },
  {
    rule: 'R3',
    what: 'a read returns an item that is not listed',
    replacements: [
      { file: 'engine/contents.ts', from: 'if (!isListed && !context.settings.mayBeAbsent(field)) return undefined', to: '' },
    ],
    scenarios: ['eviction', 'header-races'],
  },
  {
    rule: 'R3',
    what: 'a write takes no notice of an item that is not listed',
    replacements: [
      {
        file: 'engine/field-write.ts',
        from: `const header = headerIn(snapshot).value
    const stored = this.storedIn(snapshot)
`,
        to: `const header = headerIn(snapshot).value
    const listed = header.manifest.has(this.field) || this.mayBeAbsent || this.unanswered
    const stored = listed ? this.storedIn(snapshot) : { item: undefined, version: this.storedIn(snapshot).version }
`,
      },
    ],
    scenarios: ['header-races', 'one-field'],
  },
  {
    rule: 'R4',
    what: 'a touch that finds nothing is passed over',
    replacements: [
      {
        file: 'engine/renewals.ts',
        from: `const missing = fields.filter((field, index) => answers[index]?.result === 'missing' && isKnown(field))`,
        to: 'const missing = []',
      },
    ],
    scenarios: ['header-races'],
  },
  {
    rule: 'R4',
    what: 'SESSION_GONE is reported for a loss whose end was not acknowledged',
    replacements: [
      {
        file: 'engine/headers.ts',
        from: `return new StoreUnavailableError('This session is over, but the store did not confirm its end', error)`,
        to: 'return gone',
      },
    ],
    scenarios: ['eviction'],
  },
  {
    rule: 'R5',
    what: 'an unanswered add of a field that may be absent is sent again when the field is missing',
    replacements: [
      { file: 'engine/lost-answer.ts', from: 'item === undefined && !attempt.mayBeAbsent', to: 'item === undefined' },
    ],
    scenarios: ['absent-field'],
  },
  {
    rule: 'W1',
    what: 'a value carries its newest write id only',
    replacements: [
      { file: 'engine/field-swap.ts', from: 'stored.item ? earlierWrites(stored.item, this.id, at) : []', to: '[]' },
    ],
    scenarios: ['one-field'],
    harmless: 'ids only ever save an OUTCOME_UNKNOWN',
  },
  {
    rule: 'W1',
    what: 'ids are dropped newest first',
    replacements: [
      {
        file: 'format/item.ts',
        from: 'if (!sameProcess(base.id, writer)) kept.push({ id: base.id, until: second })',
        to: 'if (kept.length === 0 && !sameProcess(base.id, writer)) kept.push({ id: base.id, until: second })',
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W2',
    what: 'a first write is not listed',
    replacements: [
      {
        file: 'engine/field-swap.ts',
        from: 'return isListed ? this.succeed(snapshot)',
        to: 'return true ? this.succeed(snapshot)',
      },
    ],
    scenarios: ['header-races', 'one-field'],
  },
  {
    rule: 'W2',
    what: 'a first write lists the field before it adds the item',
    replacements: [
      {
        file: 'engine/field-write.ts',
        from: '    const answer = (await send(this.context, this.sid, [request], this.deadline)).answers[0]',
        to: `    if (!version && !header.manifest.has(this.field)) await this.list(snapshot, item.birth, until)
    const answer = (await send(this.context, this.sid, [request], this.deadline)).answers[0]`,
      },
    ],
    scenarios: ['header-races', 'one-field'],
  },
  {
    rule: 'W2',
    what: 'failing to list an item that is stored says that nothing was stored',
    replacements: [
      {
        file: 'engine/field-swap.ts',
        from: `      // Once the item is stored, nothing may say that nothing was stored.
      throw afterUnanswered(this.what, error)`,
        to: '      throw error',
      },
    ],
    scenarios: ['one-field', 'header-races'],
  },
  {
    rule: 'W2',
    what: 'a writer that finds its field listed under another birth succeeds',
    replacements: [
      {
        file: 'engine/field-swap.ts',
        from: 'if (listed !== undefined) throw new OutcomeUnknownError(this.what)',
        to: 'if (listed !== undefined) return header',
      },
    ],
    scenarios: ['eviction'],
    harmless: 'an item of another birth is lost when it is next read (R3), and the session with it',
  },
  {
    rule: 'W3',
    what: 'a version is used on another connection than the one that read it',
    replacements: [
      {
        file: '../../../../test/simulation/store.ts',
        from: ' && version.connection === connection',
        to: '',
      },
    ],
    scenarios: ['create-and-end'],
    harmless:
      'after a restart the header is gone, and only creation adds one (C2), so that no stale version meets a living session',
  },
  {
    rule: 'W3',
    what: 'a change over what was seen before is stored whatever is there by now',
    replacements: [
      {
        file: 'engine/first-try.ts',
        from: 'const request: ReplaceRequest = version ? {',
        to: 'const request: ReplaceRequest = false ? {',
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W3',
    what: '“unchanged” looks at the newest write id only, not at the birth',
    replacements: [
      {
        file: 'engine/lost-answer.ts',
        from: 'if (sameWrite(item.id, attempt.base.id) && item.birth === attempt.base.birth)',
        to: 'if (sameWrite(item.id, attempt.base.id))',
      },
    ],
    scenarios: ['eviction'],
    harmless: 'two items have one id only where an add was sent again, and then nobody had listed the first',
  },
  {
    rule: 'W4',
    what: 'after a lost answer nobody looks for the own id',
    replacements: [{ file: 'engine/lost-answer.ts', from: `  if (item && remembers(item, id)) return 'applied'\n`, to: '' }],
    scenarios: ['one-field'],
  },
  {
    rule: 'W4',
    what: 'what cannot be told is tried again',
    replacements: [
      {
        file: 'engine/lost-answer.ts',
        from: `return remembersAllSince(item, attempt.base) ? 'not applied' : 'unknown'`,
        to: `return 'not applied'`,
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W4',
    what: 'over an unchanged value the functions run again',
    replacements: [
      {
        file: 'engine/field-write.ts',
        from: `if (verdict === 'same') {
        return this.#swap(snapshot, header, stored, this.itemOver(header, stored, snapshot.serverTime)(unanswered.json))
      }
      this.unanswered = undefined`,
        to: `if (verdict !== 'same') this.unanswered = undefined`,
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W4',
    what: 'a lost answer to a change over what was seen before is taken for a conflict',
    replacements: [
      {
        file: 'engine/first-try.ts',
        from: 'swap.unanswered = first.attempt',
        to: 'if (!first.request.version) swap.unanswered = first.attempt',
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W5',
    what: 'an error after an unanswered attempt stays what it is',
    replacements: [
      {
        file: 'engine/field-write.ts',
        from: 'extends FieldSwap {',
        to: 'extends FieldSwap {\n  failOne(one, error) { one.fail(error) }',
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W5',
    what: 'an error after an open swap of the header stays what it is',
    replacements: [
      {
        file: 'engine/header-swap.ts',
        from: 'extends SessionSwap<HeaderEdit> {',
        to: 'extends SessionSwap<HeaderEdit> {\n  failOne(one, error) { one.fail(error) }',
      },
    ],
    scenarios: ['browser', 'header-races'],
  },
  {
    rule: 'W6',
    what: 'a blind set whose answer is lost is sent again',
    replacements: [
      {
        file: 'engine/lost-answer.ts',
        from: 'if (!stored.item || !remembers(stored.item, swap.id)) break',
        to: `if (!stored.item || !remembers(stored.item, swap.id)) {
      swap.unanswered = undefined
      return 'retry'
    }`,
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W7',
    what: 'a touch of the header is not sent again',
    replacements: [
      {
        file: 'engine/renewals.ts',
        from: `      asked = seen.header.value
      at = seen.serverTime
    } while (await backoff.pause())`,
        to: `      asked = seen.header.value
      at = seen.serverTime
    } while (false)`,
      },
    ],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'W7',
    what: 'deleting a field removes its item instead of leaving a tombstone',
    replacements: [
      {
        file: 'engine/field-write.ts',
        from: `const request: AddRequest | ReplaceRequest = version
      ?`,
        to: `const request = item.json === undefined ? { op: 'delete', key } : version
      ?`,
      },
      {
        file: 'engine/field-write.ts',
        from: `      case 'stored':
        this.noteWrite(item, value)`,
        to: `      case 'done':
      case 'stored':
        this.noteWrite(item, value)`,
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W8',
    what: 'a function joins a batch whose read has left',
    replacements: [
      { file: 'engine/write-queue.ts', from: 'const changes = queue.waiting.splice(0)', to: 'const changes = queue.waiting' },
      {
        file: 'engine/write-queue.ts',
        from: 'do await this.#write(queue)\n    while',
        to: 'do {\n      await this.#write(queue)\n      queue.waiting.splice(0)\n    } while',
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W8',
    what: 'each attempt has a write id of its own',
    replacements: [
      {
        file: 'engine/field-swap.ts',
        from: 'return { id: this.id, birth, earlier, deadline, json }',
        to: 'return { id: ids.next(), birth, earlier, deadline, json }',
      },
    ],
    scenarios: ['one-field'],
  },
  {
    rule: 'W9',
    what: 'the deadline of a change does not run while it waits for its turn',
    replacements: [
      { file: 'engine/write-queue.ts', from: 'if (queue.isBusy) this.#watch.add(change)\n    else', to: 'if (!queue.isBusy)' },
    ],
    scenarios: ['one-field', 'header-races'],
  },
  {
    rule: 'W9',
    what: 'the deadline of a change does not run while it waits for a new secret',
    replacements: [
      {
        file: 'session/request-session.ts',
        from: 'return Promise.race([rotation, late])',
        to: 'late.catch(() => {})\n    return rotation',
      },
    ],
    scenarios: ['header-races'],
    heldBy: 'session-rotation.test.ts, “ends what waits for it when that has no more time”',
  },
  {
    rule: 'W10',
    what: 'the size of a header is not checked before sending',
    replacements: [
      { file: 'engine/headers.ts', from: `if (size > limit) throw new ValueTooLargeError('header', size, limit)`, to: '' },
    ],
    scenarios: ['header-races'],
  },
  {
    rule: 'L1',
    what: "times are those of the application's clock",
    replacements: [
      {
        file: 'engine/context.ts',
        from: 'const flight = telemetry.flew(sid, requests.length, store.flight(sid, requests, limit))',
        to: 'const flight = store.flight(sid, requests, limit).then((one) => ({ ...one, serverTime: clock.now() }))',
      },
      {
        file: 'engine/context.ts',
        from: '{ environment, store, telemetry }: ItemContext',
        to: '{ environment, store, clock }: ItemContext',
      },
      {
        file: 'session/creation.ts',
        from: 'const at = await store.now(sid, Math.min(options.deadline, environment.running() + store.traits.timeout))',
        to: 'const at = context.clock.now()',
      },
      {
        file: 'session/create-context.ts',
        from: 'return { ...createItemContext(',
        to: 'return { clock: options.clock, ...createItemContext(',
      },
    ],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'L2',
    what: 'a header lives for its idle time to the second',
    replacements: [
      {
        file: 'engine/lifetime.ts',
        from: 'const idle = header.idle + touchMargin(header.idle) + 2 * second',
        to: 'const idle = header.idle',
      },
    ],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'L2',
    what: 'a field lives for two idle times',
    replacements: [{ file: 'engine/lifetime.ts', from: 'return 3 * idle + slack + 6 * second', to: 'return 2 * idle' }],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'L3',
    what: 'fields are renewed when half an idle time is left',
    replacements: [{ file: 'engine/lifetime.ts', from: '2 * header.idle + 3 * second', to: 'header.idle / 2' }],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'L3',
    what: 'fields are renewed when two idle times are left to the second',
    replacements: [{ file: 'engine/lifetime.ts', from: '2 * header.idle + 3 * second', to: '2 * header.idle' }],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'L3',
    what: 'a renewal is noted although a touch was not answered',
    replacements: [{ file: 'engine/renewals.ts', from: 'if (left.length > 0) continue', to: '' }],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'L3',
    what: 'a renewal is noted although the header lists a field that was not touched',
    replacements: [
      {
        file: 'engine/renewals.ts',
        from: 'const isWhole = leftToRenew(header, renewed).length === 0',
        to: 'const isWhole = true',
      },
      { file: 'engine/renewals.ts', from: 'left = leftToRenew(noted, renewed)', to: 'left = []' },
    ],
    scenarios: ['header-races', 'longer-life'],
    heldBy: 'renewals.test.ts, “touches a field too that was listed meanwhile, before it is noted”',
  },
  {
    rule: 'L4',
    what: 'the header is not touched while half its idle time remains',
    replacements: [
      {
        file: 'engine/lifetime.ts',
        from: 'Math.min(header.idle + 2 * second, header.deadline - now)',
        to: 'Math.min(header.idle / 2, header.deadline - now)',
      },
    ],
    scenarios: ['continuous-use'],
  },
  {
    rule: 'L5',
    what: 'a session is said to have expired before its header is deleted',
    replacements: [
      {
        file: 'engine/headers.ts',
        from: 'const header = snapshot.header?.value ?? snapshot.over\n',
        to: `if (gone.reason === 'expired') return gone\n    const header = snapshot.header?.value ?? snapshot.over\n`,
      },
    ],
    scenarios: ['last-moment'],
  },
  {
    rule: 'L6',
    what: 'a longer life is promised first, given to the fields afterwards, and what fails then is not said',
    replacements: [
      { file: 'engine/lifetimes.ts', from: 'if (left.length > 0) return asking(header, next.idle)', to: '' },
      {
        file: 'engine/lifetimes.ts',
        from: `if (left.length === 0) return header
      until = Math.min(until, await this.#lengthen(sid, left, deadline))`,
        to: `if (left.length > 0) await this.#lengthen(sid, left, deadline).catch(() => {})
      return header`,
      },
    ],
    scenarios: ['longer-life'],
  },
  {
    rule: 'L6',
    what: 'a write takes no notice of the longer life that the header asks for',
    replacements: [
      { file: 'engine/field-swap.ts', from: 'lifeOfFields(header, ', to: 'lifeOfFields({ ...header, fieldsIdle: 0 }, ' },
    ],
    scenarios: ['longer-life'],
  },
  {
    rule: 'L6',
    what: 'an item that was stored by an older header keeps the shorter life',
    replacements: [
      { file: 'engine/field-swap.ts', from: 'if (idleOfFields(header) <= idleOfFields(known)) return', to: 'return' },
    ],
    scenarios: ['longer-life'],
  },
  {
    rule: 'T1',
    what: 'a rotation swaps from whatever secret is current',
    replacements: [
      {
        file: 'session/rotation.ts',
        from: `if (!sameHash(header.hash, before)) throw new SessionGoneError('superseded')`,
        to: '',
      },
    ],
    scenarios: ['browser'],
  },
  {
    rule: 'T1',
    what: 'a rotation that comes second resolves without a cookie, and its request goes on',
    replacements: [
      {
        file: 'session/rotation.ts',
        from: `if (!sameHash(header.hash, before)) throw new SessionGoneError('superseded')`,
        to: 'if (!sameHash(header.hash, token.secret.hash)) return header',
      },
      {
        file: 'session/rotation.ts',
        from: 'verified.changed(header, secret)',
        to: 'if (!sameHash(header.hash, secret.hash)) return\n  verified.changed(header, secret)',
      },
    ],
    scenarios: ['planted-token'],
  },
  {
    rule: 'T1',
    what: 'a write that is asked for while the secret is being changed does not wait for the outcome',
    replacements: [
      { file: 'session/request-session.ts', from: `=== 'stored' && this.#rotation === undefined`, to: `=== 'stored'` },
      { file: 'session/request-session.ts', from: 'if (this.#rotation !== undefined) await', to: 'if (false) await' },
    ],
    scenarios: ['planted-token'],
  },
  {
    rule: 'T2',
    what: 'an old secret is an unknown one at once',
    replacements: [
      { file: 'format/classification.ts', from: `return isLate ? 'superseded' : 'unknown'`, to: `return 'unknown'` },
    ],
    scenarios: ['browser'],
  },
  {
    rule: 'T2',
    what: 'an old secret is superseded for ever',
    replacements: [
      {
        file: 'format/classification.ts',
        from: `return isLate ? 'superseded' : 'unknown'`,
        to: `return header.rotated !== 0 ? 'superseded' : 'unknown'`,
      },
    ],
    scenarios: ['browser'],
  },
  {
    rule: 'T2',
    what: 'the minute is measured from the first use, not from the arrival of the request',
    replacements: [{ file: 'session/verification.ts', from: 'snapshot.serverTime - waited)', to: 'snapshot.serverTime)' }],
    scenarios: ['browser'],
  },
  {
    rule: 'T3',
    what: 'calling again after an open rotation draws another secret',
    replacements: [
      {
        file: 'session/rotation.ts',
        from: 'verified.pending ??= newSecret(environment)',
        to: 'verified.pending = newSecret(environment)',
      },
    ],
    scenarios: ['browser'],
  },
  {
    rule: 'T4',
    what: 'every request that was verified sends its cookie',
    replacements: [
      {
        file: 'session/session-reads.ts',
        from: 'fields)) return read.end(standing.see(snapshot))',
        to: `fields)) {
      const seen = standing.see(snapshot)
      const { verified } = standing
      if (verified) this.#sink?.changed({ type: 'issued', token: formatToken(verified.token), persist: false, maxAge: 60_000 })
      return read.end(seen)
    }`,
      },
      {
        file: 'session/session-reads.ts',
        from: `import type { Token } from '../format/token.js'`,
        to: `import { formatToken, type Token } from '../format/token.js'`,
      },
      { file: 'session/session-reads.ts', from: `readonly #sink: Pick<TokenSink, 'ambiguous'>`, to: 'readonly #sink: TokenSink' },
      {
        file: 'session/session-reads.ts',
        from: `arrived: number, sink: Pick<TokenSink, 'ambiguous'>`,
        to: 'arrived: number, sink: TokenSink',
      },
    ],
    scenarios: ['browser'],
  },
  {
    rule: 'T5',
    what: 'who was verified before a rotation is cut off at once',
    replacements: [
      { file: 'session/verified.ts', from: 'longestCall(this.#context) + this.#context.store.traits.ttlStep', to: '0' },
    ],
    scenarios: ['stolen-token', 'browser'],
  },
  {
    rule: 'T5',
    what: 'the secret is never asked for again',
    replacements: [
      {
        file: 'format/classification.ts',
        from: 'return Math.max(header.rotated + longest, graceOf(header, hash))',
        to: 'return Number.POSITIVE_INFINITY',
      },
    ],
    scenarios: ['stolen-token'],
  },
  {
    rule: 'T5',
    what: 'who has not seen the header lately writes and ends without reading it first',
    replacements: [
      {
        file: 'session/verified.ts',
        from: 'return this.#context.environment.monotonic() - this.#seenAt.askedAt < longestCall(this.#context)',
        to: 'return true',
      },
    ],
    scenarios: ['stolen-token'],
  },
  {
    rule: 'T5',
    what: 'how lately a header was seen counts from hearing the answer, not from asking',
    replacements: [
      {
        file: 'session/verified.ts',
        from: 'return this.#context.environment.monotonic() - this.#seenAt.askedAt < longestCall(this.#context)',
        to: 'return this.#context.environment.monotonic() - this.#seenAt.readAt < longestCall(this.#context)',
      },
    ],
    scenarios: ['stolen-token'],
    heldBy:
      'session-rotation.test.ts, “is not taken for one that has seen the header lately, where its process stood still over the answer”',
  },
  {
    rule: 'T5',
    what: 'of changes that are combined nobody asks whose they are',
    replacements: [
      {
        file: 'engine/field-swap.ts',
        from: `if (!edit.mayFollow(snapshot)) edit.fail(new SessionGoneError('superseded'))`,
        to: ';',
      },
    ],
    scenarios: ['stolen-token'],
  },
  {
    rule: 'T5',
    what: 'each rotation that follows gives more time',
    replacements: [
      {
        file: 'session/verified.ts',
        from: 'Math.min(this.#cutOffAt, this.#cutOffBy(header))\n    this',
        to: 'this.#cutOffBy(header)\n    this',
      },
    ],
    scenarios: ['stolen-token'],
  },
  {
    rule: 'E1',
    what: 'an end is acknowledged before it is',
    replacements: [
      {
        file: 'engine/headers.ts',
        from: `if (answer.result === 'unanswered') isUnanswered = true`,
        to: `if (answer.result === 'unanswered') return`,
      },
    ],
    scenarios: ['create-and-end'],
  },
  {
    rule: 'E1',
    what: 'an end deletes the fields first and the header behind them',
    replacements: [
      {
        file: 'engine/headers.ts',
        from: `[{ op: 'get', key }, { op: 'delete', key }, ...this.#deletions(sid, listed)]`,
        to: `[{ op: 'get', key }, ...this.#deletions(sid, listed), { op: 'delete', key }]`,
      },
      {
        file: 'engine/headers.ts',
        from: 'const [before, answer] = (await send(this.#context, sid, requests, deadline)).answers',
        to: 'const { answers } = await send(this.#context, sid, requests, deadline)\n      const [before, answer] = [answers[0], answers.at(-1)]',
      },
    ],
    scenarios: ['create-and-end'],
  },
  {
    rule: 'D1',
    what: 'time in which the process does not run is charged',
    replacements: [
      { file: 'environment/running-clock.ts', from: 'return Math.min(now, this.#limit) - this.#lost', to: 'return now' },
      { file: 'environment/running-clock.ts', from: 'this.#lost += Math.max(0, now - this.#limit)', to: 'this.#lost = 0' },
    ],
    scenarios: ['stalls'],
  },
  {
    rule: 'D3',
    what: 'calls go by another clock than the store',
    replacements: [
      {
        file: 'engine/operation.ts',
        from: 'this.started = environment.running()',
        to: 'this.started = environment.monotonic()',
      },
    ],
    scenarios: ['stalls'],
    heldBy: 'operation.test.ts, “an operation counts its deadline from the running clock, whatever the time since (D1, D3)”',
  },
  {
    rule: 'U1',
    what: 'what the list says of a bound session is not looked at',
    replacements: [
      {
        file: 'engine/reader.ts',
        from: 'if (user === undefined) return snapshot\n',
        to: 'if (user !== null) return snapshot\n',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U2',
    what: 'the header is written while its binding is still on its way into the list',
    replacements: [
      {
        file: 'engine/user-lists.ts',
        from: '      await this.change(at, binding, deadline, seen)\n',
        to: `      this.change(at, binding, deadline, seen).catch(() => {})
      while (bound === undefined && environment.running() < deadline) await environment.sleep(0.1)
      bound ??= { at, entry: { binding: environment.bytes(bindingLength), uuid: uuidIn(binder.sid), created: 0, deadline: 0 }, drawnAt: environment.monotonic() }
`,
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U3',
    what: 'every write of a list carries the binding of the first',
    replacements: [
      {
        file: 'engine/user-lists.ts',
        from: 'binding: environment.bytes(bindingLength),',
        to: 'binding: (binder.binding ??= environment.bytes(bindingLength)),',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U3',
    what: 'a list is changed and compared by a version of another connection',
    replacements: [{ file: '../../../../test/simulation/store.ts', from: ' && version.connection === connection', to: '' }],
    scenarios: ['users'],
  },
  {
    rule: 'U4',
    what: "a session becomes another user's",
    replacements: [{ file: 'session/rotation.ts', from: '      login.assertSame(before.user)\n', to: '' }],
    scenarios: ['users'],
  },
  {
    rule: 'U4',
    what: 'a login of the same user draws a new binding, and takes the old one out first',
    replacements: [
      {
        file: 'session/rotation.ts',
        from: '      login.assertSame(before.user)\n      return rotate(engine, verified, terms, deadline, () => {})\n',
        to: `      login.assertSame(before.user)
      const old = before.user
      await engine.userLists.takeOut([{ server: serverOf(sid), name: old.list }], (entry) => sameBinding(entry.binding, old.binding), deadline)
`,
      },
      { file: 'session/rotation.ts', from: 'header.user ?? user)', to: 'user ?? header.user)' },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U5',
    what: 'the list is not read where the process did not know the user',
    replacements: [{ file: 'engine/reader.ts', from: ': this.#readList(snapshot, user, deadline)', to: ': snapshot' }],
    scenarios: ['users'],
  },
  {
    rule: 'U6',
    what: 'a list is emptied whatever has been added to it meanwhile',
    replacements: [
      {
        file: 'engine/list-swap.ts',
        from: `return version ? { op: 'replace', key, value, ttl, version } :`,
        to: `return version && entries.length === 0 ? { op: 'replace', key, value, ttl } : version ? { op: 'replace', key, value, ttl, version } :`,
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U6',
    what: 'an end is acknowledged although a server did not confirm it',
    replacements: [
      {
        file: 'engine/user-lists.ts',
        from: `if (failed) throw new OutcomeUnknownError("the end of this user's sessions", failed.reason)`,
        to: '',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U9',
    what: 'a session is listed whatever binding its header carries',
    replacements: [
      {
        file: 'engine/user-lists.ts',
        from: 'header.user?.list === name && sameBinding(header.user.binding, binding)',
        to: 'true',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U10',
    what: 'an entry that no header carries is dropped at once',
    replacements: [
      { file: 'session/user-sessions.ts', from: 'const abandonedAfter = 60_000', to: 'const abandonedAfter = -10_000' },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U10',
    what: 'a binding is written into the header however old it is',
    replacements: [{ file: 'session/login.ts', from: 'drawnAt <= freshFor', to: 'drawnAt <= 1e12' }],
    scenarios: ['users'],
    heldBy: 'users.test.ts, “a process that stood still between list and header draws another binding (U10)”',
  },
  {
    rule: 'U11',
    what: 'a list lives as long as the session that was added last',
    replacements: [
      {
        file: 'engine/list-swap.ts',
        from: 'const last = entries.reduce((latest, { deadline }) => Math.max(latest, deadline), 0)',
        to: 'const last = entries.at(-1)?.deadline ?? 0',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U11',
    what: 'a longer lifetime is not given to the entry',
    replacements: [
      {
        file: 'session/rotation.ts',
        from: '  if (verified.header.user) await lengthenEntry(engine, verified, terms, deadline)\n',
        to: '',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U12',
    what: 'a login counts the sessions before its own is bound',
    replacements: [
      {
        file: 'session/login.ts',
        from: 'async keepLimit(binding: Binding): Promise<void> {',
        to: `async keepLimit(): Promise<void> {}

  async limitBefore(binding: Binding): Promise<void> {`,
      },
      {
        file: 'session/login.ts',
        from: '    const newest = Math.max',
        to: '    await this.limitBefore(Buffer.alloc(8))\n    const newest = Math.max',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U12',
    what: 'entries that no header carries count for the limit',
    replacements: [
      {
        file: 'session/login.ts',
        from: 'const living = (await userLists.withHeaders(listed, this.#deadline)).filter(({ header }) => header !== undefined)',
        to: 'const living = await userLists.withHeaders(listed, this.#deadline)',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U12',
    what: 'a login spares itself',
    replacements: [
      {
        file: 'session/login.ts',
        from: 'byAge(other.entry, one.entry)).slice(max)',
        to: 'byAge(other.entry, one.entry)).slice(max).filter(({ entry }) => !sameBinding(entry.binding, binding))',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U12',
    what: 'of logins that may be refused the older ones alone count, whatever has been bound meanwhile',
    replacements: [
      {
        file: 'session/login.ts',
        from: `const isFull = others.filter((other) => other.header || byAge(other.entry, bound.entry) < 0).length >= max
        if (isFull`,
        to: `const isFull = others.filter((other) => byAge(other.entry, bound.entry) < 0).length >= max
        if (!isFull) return
        if (isFull`,
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'U12',
    what: 'a login is dated by the clock of its server alone',
    replacements: [
      {
        file: 'engine/user-lists.ts',
        from: 'Math.max(Math.floor(now), binder.newest + 1, newestIn(kept) + 1)',
        to: 'Math.floor(now)',
      },
    ],
    scenarios: ['users'],
  },
  {
    rule: 'S1',
    what: 'an open add of an item that is not there is sent again',
    replacements: [{ file: 'shared/item-swap.ts', from: 'item, mayBeAbsent: true }', to: 'item, mayBeAbsent: false }' }],
    scenarios: ['shared-values', 'shared-counters', 'shared-tickets'],
  },
  {
    rule: 'S1',
    what: 'where neither its base nor its own id is there, an open write is made anew',
    replacements: [
      {
        file: 'shared/item-swap.ts',
        from: `if (verdict === 'unknown') throw new OutcomeUnknownError(this.nameOf())`,
        to: '',
      },
    ],
    scenarios: ['shared-values', 'shared-counters', 'shared-tickets'],
  },
  {
    rule: 'S1',
    what: 'a version is used on another connection than the one that read it',
    replacements: [{ file: '../../../../test/simulation/store.ts', from: ' && version.connection === connection', to: '' }],
    scenarios: ['shared-cached', 'shared-values'],
  },
  {
    rule: 'S1',
    what: 'an item is stored whatever is there by now',
    replacements: [
      {
        file: 'shared/item-swap.ts',
        from: `? { op: 'replace', key, value, ttl, version }`,
        to: `? { op: 'replace', key, value, ttl }`,
      },
    ],
    scenarios: ['shared-values', 'shared-counters', 'shared-tickets'],
  },
  {
    rule: 'S2',
    what: 'each increment moves the end of the window',
    replacements: [{ file: 'shared/counters.ts', from: 'before?.deadline || end', to: 'end' }],
    scenarios: ['shared-counters'],
  },
  {
    rule: 'S2',
    what: 'a count goes on past the end of its window',
    replacements: [
      {
        file: 'shared/item-swap.ts',
        from: 'const before = contentsOf(seen.item, at)',
        to: 'const before = contentsOf(seen.item, 0)',
      },
    ],
    scenarios: ['shared-counters'],
  },
  {
    rule: 'S3',
    what: 'a ticket is read and then deleted',
    replacements: [
      {
        file: 'shared/tickets.ts',
        from: 'await this.change(address, operation, taking)',
        to: `const { item } = await this.engine.reader.read(address, operation.started + 500)
      taking.change(item)
      await this.engine.writer.delete(address, operation.started + 2_000)`,
      },
    ],
    scenarios: ['shared-tickets'],
  },
  {
    rule: 'S4',
    what: 'what was loaded is stored over whatever is there',
    replacements: [
      { file: 'shared/loads.ts', from: 'if (before === undefined || !sameWrite(before.id, lease.id)) return before', to: '' },
      { file: 'shared/loads.ts', from: 'seen: this.#seenBy(lease),', to: '' },
    ],
    scenarios: ['shared-cached'],
  },
  {
    rule: 'S4',
    what: 'what was loaded is added where the item is gone',
    replacements: [
      {
        file: 'shared/loads.ts',
        from: 'if (before === undefined || !sameWrite(before.id, lease.id)) return before',
        to: 'if (before !== undefined && !sameWrite(before.id, lease.id)) return before',
      },
    ],
    scenarios: ['shared-cached'],
  },
  {
    rule: 'S4',
    what: 'what was loaded is stored over any item that is there',
    replacements: [
      {
        file: 'shared/loads.ts',
        from: 'if (before === undefined || !sameWrite(before.id, lease.id)) return before',
        to: 'if (before === undefined) return before',
      },
    ],
    scenarios: ['shared-cached'],
  },
  {
    rule: 'S5',
    what: 'an invalidation leaves the lease of a load that is under way',
    replacements: [
      {
        file: 'shared/cached-values.ts',
        from: 'this.engine.writer.delete(address, writeDeadline(this.engine, started)),',
        to: `this.engine.writer.change(address, {
        change: (before, at) => (at < (decodeEntry(before)?.leaseUntil ?? 0) ? before : undefined),
        deadline: writeDeadline(this.engine, started),
      }),`,
      },
    ],
    scenarios: ['shared-cached'],
  },
  {
    rule: 'S6',
    what: 'a load begins before the lease is acknowledged',
    replacements: [
      {
        file: 'shared/cached-values.ts',
        from: `return claim.is === 'taken' ? this.#leased(claim.old, claim.until) : before`,
        to: `if (claim.is === 'taken') this.#loads.begin(address, { id, until: claim.until, old: claim.old, seen: { item: undefined, version: undefined, serverTime: at, readAt: this.engine.environment.monotonic(), askedAt: 0 } }, load)
      return claim.is === 'taken' ? this.#leased(claim.old, claim.until) : before`,
      },
      {
        file: 'shared/cached-values.ts',
        from: 'this.#loads.begin(address, { id: lease, until, old, seen: outcome }, load)',
        to: '',
      },
    ],
    scenarios: ['shared-cached'],
  },
  {
    rule: 'S6',
    what: 'a load begins however little of its lease is left',
    replacements: [
      {
        file: 'shared/loads.ts',
        from: 'if (lease.until - serverTimeNow(lease.seen, this.#engine.environment) <= leastLeft) return',
        to: '',
      },
    ],
    scenarios: ['shared-cached'],
  },
  {
    rule: 'S7',
    what: 'callers join the load of the same item, whatever lease they have read',
    replacements: [
      {
        file: 'shared/loads.ts',
        from: 'return this.#byLease.get(writeIdText(lease))',
        to: 'return this.#byLease.values().next().value',
      },
    ],
    scenarios: ['shared-cached'],
  },
  {
    rule: 'S8',
    what: 'a caller loads while another process has the lease',
    replacements: [
      {
        file: 'shared/cached-values.ts',
        from: `if (claim.is === 'held') return this.#joined(claim.lease)`,
        to: `if (claim.is === 'held') return Promise.resolve(load()).then((value) => ({ value, is: 'loaded' }))`,
      },
      {
        file: 'shared/cached-values.ts',
        from: 'if (entry && now < entry.leaseUntil) return this.#joined(entry.id)',
        to: '',
      },
    ],
    scenarios: ['shared-cached'],
  },
]
