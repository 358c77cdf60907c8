const hidden = [
  // URLs.
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s"'<>]+/gi,
  // IPv4, IPv6, and hosts with a port.
  /\b\d{1,3}(\.\d{1,3}){3}(:\d{1,5})?\b/g,
  /(?<![\w:])\[?(([0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|([0-9a-f]{1,4}(:[0-9a-f]{1,4})*)?::([0-9a-f]{1,4}(:[0-9a-f]{1,4})*)?)(\]:\d{1,5})?(?![\w:])/gi,
  /\b(?=[a-z0-9.-]*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)*:\d{2,5}\b/gi,
  // Hosts without a port, as far as a text shows that they are hosts.
  /(?<=\b(getaddrinfo|ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT) )(?!E[A-Z_]+\b)[a-z0-9.-]+/g,
  /\b([a-z0-9-]+\.)+(com|net|org|io|dev|app|cloud|internal|local|lan|localhost)\b/gi,
  /\blocalhost\b/gi,
  // Paths with two parts or more.
  /(?<![\w.…/])(~|\.{1,2})?\/([\w.@+-]+\/)+[\w.@+-]*/g,
  /\b[a-z]:\\[^\s"'<>]+/gi,
]
const readMax = 4000
const storedMax = 2000

/**
 * Turns the message of a failed step into a text that its owner may read: replaces URLs, addresses, hosts and paths by "…",
 * omits a stack, and cuts the text to 2,000 characters. A StepError must not have them in the first place; this function
 * catches the words of providers and libraries.
 */
export function hideAddresses(message: string): string {
  // The patterns must not read 50 MB.
  let text = message.slice(0, readMax).replaceAll('\u0000', '')
  text = text.replace(/\n\s+at [\s\S]*$/, '')
  for (const pattern of hidden) text = text.replace(pattern, '…')
  return text.slice(0, storedMax).toWellFormed()
}
