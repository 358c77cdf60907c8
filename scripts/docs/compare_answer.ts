/**
 * How an answer differs from what a page promises, one sentence for each difference.
 *
 * In a promise `…` marks what differs from run to run: a text ends in `…` where the answer's text goes on, `"…"` alone
 * is any value but null, a key `"…"` allows further keys, and an element `"…"` at the end allows further elements.
 */
export function compareAnswer(promised: unknown, answer: unknown, path = '$'): string[] {
  const difference = [`${path}: promised ${show(promised)}, got ${show(answer)}`]
  if (typeof promised === 'string' && promised.endsWith('…')) {
    const start = promised.slice(0, -1)
    if (start === '') return answer === null || answer === undefined ? difference : []
    return typeof answer === 'string' && answer.startsWith(start) ? [] : difference
  }
  if (Array.isArray(promised)) {
    if (!Array.isArray(answer)) return difference
    const isOpen = promised.at(-1) === '…' && answer.length !== promised.length
    const elements = isOpen ? promised.slice(0, -1) : promised
    if (isOpen ? answer.length < elements.length : answer.length !== elements.length) return difference
    return elements.flatMap((element, index) => compareAnswer(element, answer[index], `${path}[${index}]`))
  }
  if (typeof promised === 'object' && promised !== null) {
    if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) return difference
    const given = answer as Record<string, unknown>
    const { '…': open, ...wanted } = promised as Record<string, unknown>
    return [
      ...Object.entries(wanted).flatMap(([key, value]) =>
        key in given ? compareAnswer(value, given[key], `${path}.${key}`) : [`${path}.${key}: missing in the answer`],
      ),
      ...(open === undefined
        ? Object.keys(given)
            .filter((key) => !(key in wanted))
            .map((key) => `${path}.${key}: not promised, got ${show(given[key])}`)
        : []),
    ]
  }
  return promised === answer ? [] : difference
}

function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 300 ? `${text.slice(0, 300)} …` : text
}
