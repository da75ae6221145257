/**
 * What errors and warnings begin with on standard error, where the messages of several programs meet: the command that says
 * them, as it was written.
 */

let speaker = 'locktester'

/** From now on. @param command `null`: the test, which has no name, or the program as a whole */
export function speakAs(command: string | null): void {
  speaker = command === null ? 'locktester' : `locktester ${command}`
}

/** `locktester run: waiting for …` */
export const spoken = (text: string): string => `${speaker}: ${text}`
