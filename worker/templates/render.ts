import mustache from 'mustache'

type Token = Parameters<typeof mustache.Writer.prototype.escapedValue>[0]
type View = InstanceType<typeof mustache.Context>

/** Looks names up in the given variables, and not in properties that JavaScript adds, such as `constructor`. */
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

/** Escapes nothing, because a prompt is not HTML. */
class StrictWriter extends mustache.Writer {
  override escapedValue(token: Token, context: View): string {
    const value: unknown = context.lookup(token[1] ?? '')
    if (value === undefined || value === null)
      throw new Error(`The prompt needs the variable "${token[1]}", which was not given`)
    return typeof value === 'object' ? JSON.stringify(value, null, 2) : String(value)
  }
  override unescapedValue(token: Token, context: View): string {
    return this.escapedValue(token, context)
  }
  override renderPartial(token: Token): string {
    throw new Error(`The prompt includes "${token[1]}", but prompts cannot include other prompts`)
  }
}

const writer = new StrictWriter()

/**
 * Fills in a prompt. `{{name}}` becomes the variable's value; a missing variable throws, so that no incomplete prompt is
 * sent. `{{#name}} … {{/name}}` is kept if the variable is given, and repeated for each item of a list;
 * `{{^name}} … {{/name}}` is kept if it is not given. Objects become JSON. Values are never read as templates.
 */
export function render(text: string, variables: Record<string, unknown>): string {
  return writer.render(text, new OwnContext(variables))
}
