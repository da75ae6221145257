/** Stops a search without end, in milliseconds. Far more than any takes: it is all computing, and takes as much longer as a machine is busy. */
export const SEARCH_MS_MAX = 900_000
