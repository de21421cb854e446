import { z } from 'zod'

/** An object as a shop would keep of its visitor: 104 bytes of JSON. */
export const profile = {
  name: 'Ada Lovelace',
  email: 'ada@example.com',
  role: 'editor',
  theme: 'dark',
  locale: 'en-GB',
  visits: 0,
}

export type Profile = typeof profile

/** As many bytes of text. */
export const note = 'a'.repeat(102)

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
  note: z.string(),
  visits: z.int().default(0),
})

/** What an update of the object does, for every candidate the same. */
export function visited(value: Profile): Profile {
  return { ...value, visits: value.visits + 1 }
}

/** {@link visited} on the JSON that clients without a schema store. */
export function visitedJson(json: string): string {
  return JSON.stringify(visited(JSON.parse(json) as Profile))
}
