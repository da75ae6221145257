import { MUTATIONS } from './test/sim/mutation-list.js'
import { catchExhaustively, catchRandomly } from './test/sim/table.js'
for (const m of MUTATIONS) if (['a spent', 'rename over', 'verify left', 'the disk below', 'a failed change', 'a change of', 'a lost lock', 'unknown entries', 'leftovers'].some((x) => m.name.startsWith(x))) console.log(m.name, JSON.stringify(m.caughtIn === null ? await catchRandomly(m) : await catchExhaustively(m)))
