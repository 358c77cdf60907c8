import { z } from 'zod'
import { permanent } from './gemini_answers.ts'

/** A host name, or `*.` and a domain. An address is refused, so a list allows none, private or not. */
const hostPattern = /^(\*\.[a-z0-9-]+\.)?([a-z0-9-]+\.)*[a-z]([a-z0-9-]*[a-z0-9])?$/

/** The hosts that videos may be loaded from, as text with commas. */
export const videoHosts = z
  .string()
  .transform((text) => text.split(',').map((host) => host.trim().toLowerCase()))
  .refine((hosts) => hosts.every((host) => hostPattern.test(host)), 'must be host names or *.domains with commas')

/**
 * Throws unless a video may be loaded from here: from Gemini itself, or by https from one of these hosts. A provider, or who
 * can write its answers, must not make the worker load from a private network. The address behind an allowed name is not
 * checked; a server in a private network that such a name leads to has no certificate for the name.
 */
export function requireVideoHost(url: URL, { baseUrl, hosts }: { baseUrl: string; hosts: string[] }): void {
  if (url.username !== '' || url.password !== '') throw refused('its URL has a user or a password', url)
  if (url.origin === new URL(baseUrl).origin) return
  if (url.protocol !== 'https:') throw refused('its URL is not https', url)
  if (!hosts.some((host) => matches(url.hostname, host)))
    throw refused('GEMINI_VIDEO_HOSTS does not have its host', url)
}

function matches(hostname: string, host: string): boolean {
  return host.startsWith('*.') ? hostname.endsWith(host.slice(1)) : hostname === host
}

/** Only the log gets the host, by the cause. */
function refused(reason: string, url: URL): Error {
  return permanent(
    'video_host_refused',
    'Gemini stored the video at a place from which this server loads no videos. Ask the operator to check the log.',
    new Error(`A video was not loaded, because ${reason}: ${url.protocol}//${url.hostname}`),
  )
}
