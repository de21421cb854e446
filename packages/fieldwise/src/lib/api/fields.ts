import type * as z from 'zod'

/**
 * The plain values of a schema's fields, as they are read: what zod puts out, without `undefined`. With a `catchall` every other name
 * is a field too, of the catchall's type.
 *
 * @example
 * const schema = z.object({ username: z.string(), visits: z.int().default(0) })
 * type Values = Fields<typeof schema> // { username: string; visits: number }
 */
export type Fields<S extends z.ZodObject> = Known<S['shape']> & Others<S>

/** The names of the fields that `get` never finds unset: those that a default is substituted for. */
export type Defaulted<S extends z.ZodObject> = {
  [K in keyof S['shape'] & string]: IsDefaulted<S['shape'][K]> extends true ? K : never
}[keyof S['shape'] & string]

/** What reading yields: the value, or `undefined` where nothing is stored and the field has no default. */
export type Read<F, D extends keyof F = never> = { [K in keyof F]: K extends D ? F[K] : F[K] | undefined }

/** What an update function may return: nothing for an object or an array, which may be changed in place; else the new value. */
export type Updated<V> = unknown extends V ? Data : [V] extends [object | null] ? V | void : V

/** {@link Updated} for each field. Methods index this type, so that a session of more fields fits where fewer are asked for. */
export type Updates<F> = { [K in keyof F]: Updated<F[K]> }

/**
 * What the function of `update` returns. A promise is compared with a text that says what is wrong, which then stands in the compiler's
 * message.
 */
export type UpdateResult<R, Allowed> =
  R extends PromiseLike<unknown> ? 'the function of update is synchronous: await before it' : [R] extends [Allowed] ? R : Allowed

/** What `update` resolves with: the new value; where nothing was returned, the old one as it is now. */
export type UpdatedValue<R, New, Old> = unknown extends R ? New : void extends R ? Old : New

/** What `set` takes after the name of a field, or after an object of values. */
export type SetArguments<F, What, Options> = [What] extends [keyof F] ? [value: F[What], options?: Options] : [options?: Options]

/** The names of the fields that `increment` takes. */
export type NumberFields<F> = keyof { [K in keyof F as IsNumber<F[K]> extends true ? K : never]: true } & string

type Known<Shape> = { -readonly [K in keyof Shape]: Exclude<z.output<Shape[K]>, undefined> }

type Others<S extends z.ZodObject> = string extends keyof z.output<S> ? { [name: string]: z.output<S>[string] } : unknown

type IsDefaulted<T extends z.core.SomeType> =
  IsAny<T> extends true ? false : [T['_zod']['optin']] extends ['defaulted'] ? true : false

type IsNumber<V> = IsAny<V> extends true ? false : V extends number ? true : false

type IsAny<T> = 0 extends 1 & T ? true : false

/** For fields of unknown type: anything but a promise, which `unknown` would let through. */
type Data = string | number | boolean | null | void | (object & { then?: never })
