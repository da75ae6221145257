/**
 * What can go wrong, each with a switch. A schedule does not switch everything on: chance picks a few faults for each
 * (rare combinations need the absence of others), and their rates.
 */

import type { Random } from './random.js'

/** Rates are probabilities for each file operation, unless their names say otherwise; 0 switches a fault off. */
export interface Faults {
  /** One reply or request is under way for long, up to more than a timeout-interval; the process goes on elsewhere. */
  stalledCall: number
  /** A process is stopped and continued later (SIGSTOP, a blocked event loop), between any two operations. */
  stoppedProcess: number
  /** A process dies; what it has sent may still happen. */
  crash: number
  /** A crashed process is followed by one with the same process id. */
  samePid: number
  /** It happened, but the answer is what a repetition gets, EEXIST or ENOENT, or any other error that does not prove the contrary. */
  lostReply: number
  /** The answer is a time-out, and it happened, or happens later, or never. */
  timedOut: number
  /** Executed once more, some time later. */
  duplicated: number
  /** Refused, and not done: EIO, ESTALE, ENOSPC, EMLINK, EXDEV, EPERM, EACCES. */
  refused: number
  /** How often cached names, attributes, listings and data are believed where a client may. */
  staleCache: number
  attributeCacheMs: number
  isVersion3: boolean
  nocto: boolean
  /** Clocks of nodes and server are apart by hours. */
  skewMs: number
  /** How much faster or slower than true time a node's own clock may run. */
  drift: number
  /** Resolution of the server's time stamps. */
  coarseMs: number
  /** Writing to a file does not change its time stamp (SMB does so late). */
  lazyStamps: boolean
  /** Listings of more than 32 entries are made in two pieces. */
  piecewiseListings: boolean
  /** A listing reads the names, and then looks each of them up: those that are gone by then are not in it. */
  listsNameByName: boolean
  /** A lock directory full of old generations to begin with, and clean-up that often does not come to it. */
  crowded: boolean
  /** Probability for each acquisition that it is given up on after some time. */
  givenUp: number
  /** A record may be read in the middle of a write. */
  tornRead: number
  /** Nodes have different intervals. */
  mixedIntervals: boolean
  /** An intruder uses another kind of lock on the same path. */
  otherKind: boolean
  /** Nodes and processes that look at the lock now and then. */
  inspections: number
  /** How often an administrator breaks a holder's claim, or prunes the lock, while others use it. */
  administration: number
  /** Events on a timeline; the number is how many of each there are per minute. */
  frozenMachine: number
  /** The mount of a node does not answer for a while. */
  hungMount: number
  wallStep: number
  serverStep: number
  remount: number
  reboot: number
  /** The session file of a process is removed by hand. */
  deletedFile: number
  /** Processes of one node have time namespaces of their own, or do not know which: each sees others start at another time. */
  mixedViews: boolean
  /** How many users there are: a file is written by its owner alone. */
  users: number
  /** The share is unmounted for a while: the disk below it shows, with a lock directory of the same name. */
  unmounted: number
  /** A file that is not ours appears in the lock directory, and stays until everything heals. */
  strangersFile: number
  /** While the lock directory is made for the first time another library takes the lock, with an empty directory. */
  emptyDirectory: boolean
}

export const NO_FAULTS: Faults = {
  stalledCall: 0,
  stoppedProcess: 0,
  crash: 0,
  samePid: 0,
  lostReply: 0,
  timedOut: 0,
  duplicated: 0,
  refused: 0,
  staleCache: 0,
  attributeCacheMs: 0,
  isVersion3: false,
  nocto: false,
  skewMs: 0,
  drift: 0,
  coarseMs: 0,
  lazyStamps: false,
  piecewiseListings: false,
  listsNameByName: false,
  crowded: false,
  givenUp: 0,
  tornRead: 0,
  mixedIntervals: false,
  otherKind: false,
  inspections: 0,
  administration: 0,
  frozenMachine: 0,
  hungMount: 0,
  wallStep: 0,
  serverStep: 0,
  remount: 0,
  reboot: 0,
  deletedFile: 0,
  mixedViews: false,
  users: 1,
  unmounted: 0,
  strangersFile: 0,
  emptyDirectory: false,
}

const HOUR_MS = 3_600_000
/** `acregmax` and `acdirmax` as they come. */
const ATTRIBUTE_CACHE_MS = 60_000

/** Each fault is on in some of the schedules. */
export function chooseFaults(random: Random): Faults {
  const rate = (share: number, least: number, most: number) => (random.chance(share) ? random.logarithmic(least, most) : 0)
  const staleCache = rate(0.5, 0.2, 1)
  const chosen: Faults = {
    stalledCall: rate(0.5, 0.001, 0.02),
    stoppedProcess: rate(0.5, 0.001, 0.02),
    crash: rate(0.4, 0.0005, 0.01),
    samePid: random.pick([0, 0.5, 1]),
    lostReply: rate(0.5, 0.002, 0.1),
    timedOut: rate(0.5, 0.002, 0.05),
    duplicated: rate(0.4, 0.002, 0.1),
    refused: rate(0.3, 0.002, 0.05),
    staleCache,
    attributeCacheMs: staleCache === 0 ? 0 : random.pick([0, 3000, ATTRIBUTE_CACHE_MS]),
    isVersion3: staleCache > 0 && random.chance(0.5),
    nocto: staleCache > 0 && random.chance(0.15),
    skewMs: random.chance(0.5) ? 12 * HOUR_MS : 0,
    drift: random.chance(0.5) ? 0.03 : 0,
    coarseMs: random.pick([0, 0, 4, 1000, 2000]),
    lazyStamps: staleCache === 0 && random.chance(0.15),
    piecewiseListings: random.chance(0.5),
    listsNameByName: staleCache > 0 && random.chance(0.5),
    crowded: random.chance(0.2),
    givenUp: rate(0.4, 0.05, 0.5),
    tornRead: rate(0.3, 0.01, 0.3),
    mixedIntervals: random.chance(0.4),
    otherKind: random.chance(0.1),
    inspections: rate(0.3, 0.05, 0.5),
    frozenMachine: rate(0.3, 0.5, 6),
    hungMount: rate(0.3, 0.5, 8),
    wallStep: rate(0.3, 0.5, 4),
    serverStep: rate(0.2, 0.2, 2),
    remount: rate(0.2, 0.2, 2),
    reboot: rate(0.2, 0.2, 2),
    administration: rate(0.25, 0.02, 0.3),
    deletedFile: rate(0.3, 0.5, 6),
    mixedViews: random.chance(0.3),
    users: random.pick([1, 2]),
    unmounted: rate(0.15, 0.2, 2),
    strangersFile: rate(0.2, 0.5, 4),
    emptyDirectory: staleCache === 0 && random.chance(0.2),
  }
  // A lock that was taken away and is made again is numbered by the server's clock: if that was set back in between, so are tokens.
  return chosen.serverStep > 0 ? { ...chosen, administration: 0, otherKind: false } : chosen
}
