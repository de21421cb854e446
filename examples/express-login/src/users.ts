import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export interface User {
  readonly id: string
  readonly name: string
}

interface Account extends User {
  readonly salt: Buffer
  readonly hash: Buffer
}

/** In a real app these are in a database. */
const accounts = [await account('1', 'ada', 'lovelace'), await account('2', 'grace', 'hopper')]

export function findUser(id: string): User | undefined {
  return accounts.find((each) => each.id === id)
}

/** The user with this name and password. */
export async function checkPassword(name: string, password: string): Promise<User | undefined> {
  const found = accounts.find((each) => each.name === name)
  // An unknown name takes as long as a wrong password.
  const { salt, hash } = found ?? nobody
  return timingSafeEqual(await hashOf(password, salt), hash) ? found : undefined
}

/** Whether `old` was right, so that `password` is the one from now on. */
export async function changePassword({ id, name }: User, old: string, password: string): Promise<boolean> {
  if ((await checkPassword(name, old)) === undefined) return false
  const index = accounts.findIndex((each) => each.id === id)
  accounts[index] = await account(id, name, password)
  return true
}

const nobody = { salt: randomBytes(16), hash: randomBytes(32) }

async function account(id: string, name: string, password: string): Promise<Account> {
  const salt = randomBytes(16)
  return { id, name, salt, hash: await hashOf(password, salt) }
}

async function hashOf(password: string, salt: Buffer): Promise<Buffer> {
  return (await promisify(scrypt)(password, salt, 32)) as Buffer
}
