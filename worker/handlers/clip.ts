/** Clips a text of a model, and makes the text storable: without U+0000 and without halves of surrogate pairs. */
export function clip(text: string, max: number): string {
  return text.replaceAll('\u0000', '').slice(0, max).toWellFormed()
}
