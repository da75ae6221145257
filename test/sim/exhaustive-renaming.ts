/**
 * Processes are interchangeable: a state in which two of them have changed places behaves like the one before. This module
 * renames them, in whatever they know and leave behind, so that of all such states only one has to be explored.
 */

/** Where a process's number stands in names and records of the exhaustive search; see `sessionId`, `lookId` and `ownerOf`. */
const OWN_NAMES = /(0{13})(\d)(?=e\d)|(0{13}a)(\d)(?=\d)|("pid":|h-)(\d)(?=[,}]|-0{13})/g

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
  const of = (process: number) => permutation[process] ?? process
  return text.replace(
    OWN_NAMES,
    (_, id?: string, ofId?: string, look?: string, ofLook?: string, pid?: string, ofPid?: string) => {
      if (id !== undefined) return `${id}${of(Number(ofId))}`
      if (look !== undefined) return `${look}${of(Number(ofLook))}`
      return `${pid}${renamePid(Number(ofPid), permutation)}`
    },
  )
}

/** Values as text: equal ones have the same. */
export const toKey = (value: unknown): string =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `n${part}` : part))

/** Plain data with other names; listings keep the order of theirs. */
export function renameValue<Value>(value: Value, permutation: Permutation): Value {
  return renamePart(value, permutation) as Value
}

function renamePart(part: unknown, permutation: Permutation): unknown {
  if (typeof part === 'string') return renameString(part, permutation)
  if (typeof part !== 'object' || part === null) return part
  if (Array.isArray(part)) {
    const renamed = part.map((element) => renamePart(element, permutation))
    return renamed.every((element) => typeof element === 'string') ? renamed.sort() : renamed
  }
  const renamed: Record<string, unknown> = {}
  for (const [key, value] of Object.entries(part))
    renamed[key] = key === 'pid' ? renamePid(value as number, permutation) : renamePart(value, permutation)
  return renamed
}

const renamePid = (pid: number, permutation: Permutation) => (permutation[pid - 1] ?? pid - 1) + 1

/** Few texts are renamed again and again. */
const renamedTexts = new Map<Permutation, Map<string, string>>()
function renameString(text: string, permutation: Permutation): string {
  let texts = renamedTexts.get(permutation)
  if (texts === undefined) {
    texts = new Map()
    renamedTexts.set(permutation, texts)
  }
  let renamed = texts.get(text)
  if (renamed === undefined) {
    renamed = renameText(text, permutation)
    texts.set(text, renamed)
  }
  return renamed
}
