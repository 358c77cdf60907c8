import mustache from 'mustache'

type Token = Parameters<typeof mustache.Writer.prototype.escapedValue>[0]
type View = InstanceType<typeof mustache.Context>

/** Knows what was given, and nothing that JavaScript adds to it, such as `constructor`. */
class OwnContext extends mustache.Context {
  override push(view: unknown): OwnContext {
    return new OwnContext(view, this)
  }
  override lookup(name: string): unknown {
    if (name === '.') return this.view
    const names = name.split('.')
    for (let context: View | undefined = this; context !== undefined; context = context.parent) {
      let value: unknown = context.view
      const isThere = names.every((one) => {
        if (typeof value !== 'object' || value === null || !Object.hasOwn(value, one)) return false
        value = (value as Record<string, unknown>)[one]
        return true
      })
      if (isThere) return typeof value === 'function' ? undefined : value
    }
    return undefined
  }
}

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
  override renderPartial(token: Token): string {
    throw new Error(`The prompt wants to include "${token[1]}", and prompts include nothing`)
  }
}

const writer = new StrictWriter()

/**
 * Fills in a prompt: `{{name}}` a value (a missing one throws: a prompt with a hole is not sent), `{{#name}} … {{/name}}` what
 * stands there if the value is given, once for each of a list, `{{^name}} … {{/name}}` if it is not. Objects are written as
 * JSON. What is filled in is never read as a template.
 */
export function render(text: string, variables: Record<string, unknown>): string {
  return writer.render(text, new OwnContext(variables))
}
