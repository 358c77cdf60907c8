import mustache from 'mustache'

type Token = Parameters<typeof mustache.Writer.prototype.escapedValue>[0]
type View = InstanceType<typeof mustache.Context>

/** Nothing is escaped: a prompt is no HTML. */
class StrictWriter extends mustache.Writer {
  override escapedValue(token: Token, context: View): string {
    const value: unknown = context.lookup(token[1] ?? '')
    if (value === undefined || value === null) throw new Error(`The prompt needs "${token[1]}", which was not given`)
    return typeof value === 'object' ? JSON.stringify(value, null, 2) : String(value)
  }
  override unescapedValue(token: Token, context: View): string {
    return this.escapedValue(token, context)
  }
}

const writer = new StrictWriter()

/**
 * Fills in a prompt: `{{name}}` a value (a missing one throws: a prompt with a hole is not sent), `{{#name}} … {{/name}}` what
 * stands there if the value is given, once for each of a list, `{{^name}} … {{/name}}` if it is not. Objects are written as
 * JSON. What is filled in is never read as a template.
 */
export function render(text: string, variables: Record<string, unknown>): string {
  return writer.render(text, variables)
}
