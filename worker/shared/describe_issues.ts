import type { z } from 'zod'

const issuesMax = 5
const issueMax = 200

/**
 * Describes why a value does not match its schema, on one line: `episodes[0].title: Too big: …; 2 more`. zod names keys of
 * the value and texts of the schema, but does not repeat other values.
 */
export function describeIssues({ issues }: z.ZodError): string {
  const first = issues.slice(0, issuesMax).map(({ path, message }) => {
    const place = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('')
    return `${place === '' ? '' : `${place.replace(/^\./, '')}: `}${message}`.slice(0, issueMax)
  })
  if (issues.length > issuesMax) first.push(`${issues.length - issuesMax} more`)
  return first.join('; ')
}
