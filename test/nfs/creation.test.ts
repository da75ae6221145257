/**
 * Goal: a lock that no process has used yet can be acquired by all nodes at once; each gets its turn.
 * Method: a new path, and one attempt on each node at the same time, many times.
 */

import { expect, test } from 'vitest'
import { connectLab, Driver, figure, NODES, newDirectory, proves, V3, V3_COARSE, V42 } from './support.js'

const lab = await connectLab()
const ROUNDS = figure(10, 500)

for (const place of [V3, V3_COARSE, V42]) {
  test(
    `on ${place.name} two nodes that use a new lock at the same time both get it, one after the other`,
    {
      timeout: 60_000 + ROUNDS * 4000,
    },
    async (context) => {
      proves(context, place, 'nodes that create a lock at the same time both get it')
      const directory = await newDirectory(lab, place)
      const drivers = await Promise.all(NODES.map((node) => Driver.start(lab, node)))
      for (let round = 0; round < ROUNDS; round++) {
        const path = `${directory}/${round}`
        const tokens = await Promise.all(
          drivers.map(async (driver) => {
            const answer = await driver.ask('acquire', { path, name: path, waitMs: 30_000 })
            expect(answer, `round ${round}`).toMatchObject({ held: true })
            expect(await driver.ask('release', { name: path })).toMatchObject({ lost: false })
            return answer.token
          }),
        )
        expect(new Set(tokens).size).toBe(tokens.length)
      }
      await Promise.all(drivers.map((driver) => driver.end()))
    },
  )
}
