/** What another machine says, looked at before it is used: each shape takes a value over field by field, or refuses it. */

/** @throws WrongShapeError */
export type Shape<T> = (raw: unknown) => T

export class WrongShapeError extends Error {}

function shape<T>(isRight: (raw: unknown) => boolean): Shape<T> {
  return (raw) => {
    if (!isRight(raw)) throw new WrongShapeError()
    return raw as T
  }
}

export const text: Shape<string> = shape((raw) => typeof raw === 'string')
export const truth: Shape<boolean> = shape((raw) => typeof raw === 'boolean')
/** JSON has none that is no number, but some that are too large for one. */
export const number: Shape<number> = shape((raw) => Number.isFinite(raw))
export const whole: Shape<number> = shape((raw) => Number.isSafeInteger(raw))
export const count: Shape<number> = shape((raw) => Number.isSafeInteger(raw) && (raw as number) >= 0)
/** A fencing token in decimals. */
export const token: Shape<string> = shape((raw) => typeof raw === 'string' && /^\d{1,40}$/.test(raw))
/** Nothing is made of it. */
export const nothing: Shape<void> = () => {}

export function oneOf<T extends string>(...words: readonly T[]): Shape<T> {
  return shape((raw) => words.includes(raw as T))
}

export function orNull<T>(inner: Shape<T>): Shape<T | null> {
  return (raw) => (raw === null ? null : inner(raw))
}

export function either<A, B>(first: Shape<A>, second: Shape<B>): Shape<A | B> {
  return (raw) => {
    try {
      return first(raw)
    } catch {
      return second(raw)
    }
  }
}

export function list<T>(inner: Shape<T>): Shape<T[]> {
  return (raw) => {
    if (!Array.isArray(raw)) throw new WrongShapeError()
    return raw.map(inner)
  }
}

/** Fields that are not named are left out. */
export function fields<T extends object>(shapes: { [Name in keyof T]: Shape<T[Name]> }): Shape<T> {
  return (raw) => {
    if (raw === null || typeof raw !== 'object') throw new WrongShapeError()
    const entries = Object.entries(shapes) as [string, Shape<unknown>][]
    return Object.fromEntries(entries.map(([name, inner]) => [name, inner((raw as Record<string, unknown>)[name])])) as T
  }
}
