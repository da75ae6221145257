/**
 * Processes are interchangeable: a state in which two of them have changed places behaves like the one before. This module
 * renames them, in whatever they know and leave behind, so that of all such states only one has to be explored.
 */

/** Where a process's number stands in names and records of the exhaustive search; see `sessionId`, `lookId` and `ownerOf`. */
const OWN_NAMES = /(0{13})(\d)(?=e\d)|(0{14}a)(\d)|(pid\\*":|h-)(\d)(?=[,}]|-0{13})/g

/** `permutation[n]`: what process n is called instead. */
export type Permutation = readonly number[]

/** All ways to rename `count` processes; the first one changes nothing. */
export function permutations(count: number): Permutation[] {
  if (count === 0) return [[]]
  const last = count - 1
  const longer = permutations(last).flatMap((shorter) =>
    [...Array(count).keys()].map((at) => [...shorter.slice(0, at), last, ...shorter.slice(at)]),
  )
  return longer.sort((one, other) => (one.join() < other.join() ? -1 : 1))
}

export function renameText(text: string, permutation: Permutation): string {
  return text.replace(
    OWN_NAMES,
    (all, id?: string, ofId?: string, look?: string, ofLook?: string, pid?: string, ofPid?: string) => {
      if (id !== undefined) return `${id}${permutation[Number(ofId)]}`
      if (look !== undefined) return `${look}${permutation[Number(ofLook)]}`
      const renamed = permutation[Number(ofPid) - 1]
      return renamed === undefined ? all : `${pid}${renamed + 1}`
    },
  )
}

/** Values as text: equal ones have the same. */
export const toKey = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `n${part}` : part))

/** Plain data with other names; listings keep the order of theirs. */
export function renameValue<Value>(value: Value, permutation: Permutation): Value {
  return JSON.parse(renameText(toKey(value), permutation), (_, part: unknown) => {
    if (typeof part === 'string' && /^n\d+$/.test(part)) return BigInt(part.slice(1))
    return Array.isArray(part) && part.every((name) => typeof name === 'string') ? part.sort() : part
  }) as Value
}
