/** Goal: what the other files rely on: a machine that is gone says why, and a lab belongs to one of them at a time. */

import { expect, test } from 'vitest'
import { LabClient } from './lab/client.js'
import { connectLab } from './support.js'

const lab = await connectLab()

test('a machine that is gone says why', async () => {
  await lab.machine('kill', 'A')
  try {
    await expect(lab.exec('A', 'true')).rejects.toThrow('Node A is down: it was killed')
    await lab.machine('start', 'A')
    await expect(lab.exec('A', 'poweroff -f')).rejects.toThrow('Node A went away: it ended by itself (0)')
    await expect(lab.exec('A', 'true')).rejects.toThrow('Node A is down: it ended by itself (0)')
  } finally {
    await lab.machine('start', 'A')
  }
})

// The last one: it gives the lab away.
test('a run that claims a lab has it when all that claimed it before are gone', async () => {
  const [second, third, observer] = await Promise.all([1, 2, 3].map(() => LabClient.connect(lab.runDirectory)))
  try {
    const told: string[] = []
    const claims = Object.entries({ second, third }).map(([name, client]) =>
      client?.claim().then(
        () => told.push(`${name} has it`),
        () => told.push(`${name} is gone`),
      ),
    )
    await observer?.status() // asked and answered later than the claims
    expect(told).toEqual([])
    second?.close()
    await claims[0]
    await observer?.status()
    expect(told).toEqual(['second is gone'])
    lab.close()
    await claims[1]
    expect(told).toEqual(['second is gone', 'third has it'])
  } finally {
    for (const client of [second, third, observer]) client?.close()
  }
})
