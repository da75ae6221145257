/** Waits for events that nothing announces. */

import { LabError } from './tools.js'

const LOOK_EVERY_MS = 20

/** @throws LabError with the complaint */
export async function until(condition: () => boolean, msMax: number, complaint: string): Promise<void> {
  const deadline = performance.now() + msMax
  while (!condition()) {
    if (performance.now() > deadline) throw new LabError(complaint)
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
}
