/** The table "What was tested" of the README, from the result files: a cell says what its results have shown, or "not tried". */

import type { Result } from './results.js'

type Shown = Pick<Result, 'place' | 'what' | 'kind' | 'how' | 'passed'>

interface Column {
  readonly title: string
  /** All of them have to show it. Of one that was mounted in several ways, one way suffices. */
  readonly servers: readonly (readonly string[])[]
  /** The mount option that a kind of lock needs there. */
  readonly needs?: Readonly<Record<string, string>>
}

const COLUMNS: readonly Column[] = [
  { title: 'NFSv3, v4.1, v4.2', servers: [['NFSv3'], ['NFSv4.1'], ['NFSv4.2']] },
  { title: 'NFS (Ganesha)', servers: [['NFS-Ganesha, NFSv3', 'NFS-Ganesha, NFSv4.2']] },
  { title: 'CephFS, MooseFS', servers: [['CephFS'], ['MooseFS']] },
  { title: 'GlusterFS', servers: [['GlusterFS']] },
  { title: 'sshfs', servers: [['sshfs']] },
  {
    title: 'SMB (Samba) with',
    servers: [['SMB, nolease,mfsymlinks', 'SMB, mfsymlinks']],
    needs: { 'hard link': 'nolease', symlink: 'mfsymlinks' },
  },
  { title: 'Amazon EFS', servers: [['Amazon EFS']] },
]

const ROWS = [['hard link'], ['symlink'], ['rename'], ['flock', 'fcntl']] as const

const SHOWN = '✔'
const NOT_TRIED = 'not tried'
const FAILED = '✘'

interface Evidence {
  readonly what: string
  readonly cell: string
  /** Where the results name no kind of lock. */
  readonly kinds?: readonly string[]
}

export const NEVER_TWO_BUT_REFUSED = 'never has two holders, and is refused now and then'

/** What a result says of a kind of lock; the first of them for which there is a result. */
const EVIDENCE: readonly Evidence[] = [
  { what: 'excludes, in the order of the tokens', cell: SHOWN },
  { what: 'takes a lock that another node holds for held', cell: SHOWN },
  { what: NEVER_TWO_BUT_REFUSED, cell: 'rare errors' },
  { what: 'refuses rename-based locks, with the reason', cell: 'refused', kinds: ['rename'] },
  { what: 'refuses locks that a mount breaks, with the remedies', cell: 'refused' },
  { what: 'locktester: says that advisory locks do not exclude', cell: '–', kinds: ['flock', 'fcntl'] },
]

function verdictOn(places: readonly string[], kind: string, results: readonly Shown[]): string {
  const its = results.filter(({ how, place = '' }) => how === 'real' && places.includes(place))
  for (const { what, cell, kinds = [] } of EVIDENCE) {
    const found = its.filter((each) => each.what === what && (each.kind === kind || (each.kind === '' && kinds.includes(kind))))
    if (found.length > 0) return found.every(({ passed }) => passed) ? cell : FAILED
  }
  return NOT_TRIED
}

const worstOf = (verdicts: ReadonlySet<string>) =>
  [FAILED, NOT_TRIED].find((verdict) => verdicts.has(verdict)) ?? [...verdicts].join(', ')

/** What the README says of the kinds of lock in the column of that title: of each, where they differ. */
export function testedCell(title: string, kinds: readonly string[], results: readonly Shown[]): string {
  const { servers, needs = {} } = COLUMNS.find((column) => column.title === title) as Column
  const option = needs[kinds[0] as string]
  const places = servers.map((ways) => ways.filter((way) => option === undefined || way.includes(option)))
  const verdicts = kinds.map((kind) => worstOf(new Set(places.map((ways) => verdictOn(ways, kind, results)))))
  const cell = new Set(verdicts).size === 1 ? (verdicts[0] as string) : verdicts.join(', ')
  return option === undefined || cell !== SHOWN ? cell : `${cell} \`${option}\``
}

/** Not broken within a word that belongs to the one before it. */
const unbroken = (text: string) => text.replaceAll(/(?<=\w,?) (?=\w)/g, '&nbsp;')
const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

export function readmeTable(results: readonly Shown[]): string {
  const titles = COLUMNS.map(({ title }) => title)
  const rows = ROWS.map((kinds) => [
    unbroken(kinds.join(', ')),
    ...titles.map((title) => unbroken(testedCell(title, kinds, results))),
  ])
  return [`| | ${titles.join(' | ')} |`, row(['', ...titles].map(() => '-')), ...rows.map(row)].join('\n')
}
