/** What needs more than one machine: named here so that it is not forgotten, measured in the lab of NFS servers and clients. */

import type { Question } from '../bench.js'
import { emptyAnswer, missingRow } from '../result.js'

const WHY = 'needs two nodes: the NFS lab (test/nfs) measures it'

export const nodes: Question = {
  id: 'nodes',
  title: 'Between nodes',
  about: 'hand-off between two nodes and requests to the server: left to the NFS lab',
  ask: async () => ({
    ...emptyAnswer(),
    rows: [
      missingRow(
        { question: 'hand-off between nodes', subject: 'all', place: 'nfs' },
        'median ≤ 1 poll interval + 4 round trips; fewest operations per waiting second of all peers',
        WHY,
      ),
      missingRow(
        { question: 'requests per acquire + release', subject: 'all', place: 'nfs' },
        'link-based ≤ 6 (v3) / 6 (v4.2), rename 2 / 2',
        WHY,
      ),
    ],
  }),
}
