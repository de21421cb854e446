import { z } from 'zod'

/** The value that is read and changed: about 100 bytes of JSON, as a shop would keep of its visitor. */
export const profile = {
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  role: 'editor',
  theme: 'dark',
  locale: 'en-GB',
  visits: 0,
}

export type Profile = typeof profile

/** The fields of the sessions that are measured. */
export const schema = z.object({
  profile: z.object({
    name: z.string(),
    email: z.string(),
    role: z.string(),
    theme: z.string(),
    locale: z.string(),
    visits: z.int(),
  }),
  visits: z.int().default(0),
})

/** What an update does, for every candidate the same. */
export function visited(value: Profile): Profile {
  return { ...value, visits: value.visits + 1 }
}

/** {@link visited} on the JSON that clients without a schema store. */
export function visitedJson(json: string): string {
  return JSON.stringify(visited(JSON.parse(json) as Profile))
}
