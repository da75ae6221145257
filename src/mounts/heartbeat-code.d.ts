/** The program of the heartbeat thread, src/mounts/heartbeat-thread.ts, as one file: scripts/bundle.mjs writes it. */
export const heartbeatCode: string
