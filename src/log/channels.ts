/**
 * The events on `node:diagnostics_channel`, as `mountlock:acquire`, `mountlock:wait` and so on, whether or not there is
 * a log.
 */

import { type Channel, channel } from 'node:diagnostics_channel'
import type { ChannelName, LockEvent, LockEventName } from './events.js'

const named = (name: ChannelName) => channel(name)

// Looked up once: a lookup by name costs more than the rest of publish() when nothing listens.
const CHANNELS: Record<LockEventName, Channel> = {
  acquire: named('mountlock:acquire'),
  wait: named('mountlock:wait'),
  release: named('mountlock:release'),
  refresh: named('mountlock:refresh'),
  lost: named('mountlock:lost'),
  reap: named('mountlock:reap'),
}

/** Is it worth making an event? */
export const hasSubscribers = (name: LockEventName) => CHANNELS[name].hasSubscribers

/**
 * Subscribers get the event itself. What a subscriber throws, Node turns into an uncaught exception; it never comes
 * back here.
 */
export function publish(event: LockEvent): void {
  if (hasSubscribers(event.event)) CHANNELS[event.event].publish(event)
}
