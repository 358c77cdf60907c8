// The limits of what a tick may write. A longer text is clipped, because the answer is already paid for. A character of a text
// has six bytes of JSON at most, so the largest state has 936 KiB: less than the 1 MiB that the engine stores.

/** The longest result of a task, in UTF-16 units. */
export const resultMax = 50_000
/** The longest question, and the longest and most choices of a question. */
export const questionMax = 2000
export const choiceMax = 200
export const choicesMax = 20
/** The longest note, and the most notes of a tick. */
export const noteMax = 2000
export const notesMax = 10
/** The longest note about an answer, which has 64 KiB at most. */
export const answerMax = 70_000
/** The longest summary of notes. */
export const summaryMax = 16_000

/** Above this size, in bytes of JSON, older notes are summarised. */
export const notesMaxBytes = 128 * 1024
/** The size of the newest notes, which a summary leaves as they are. */
export const recentMaxBytes = 32 * 1024
/** The largest size of notes that could not be summarised. Above it, the oldest notes are removed. */
export const keptMaxBytes = 600 * 1024

/** Makes a text storable (without U+0000 and without halves of surrogate pairs) and clips it. */
export function clip(text: string, max: number): string {
  return text.replaceAll('\u0000', '').slice(0, max).toWellFormed()
}

/** The size of texts in a list of JSON, as Postgres writes it. */
export function countBytes(texts: string[]): number {
  return texts.reduce((sum, text) => sum + Buffer.byteLength(JSON.stringify(text)) + 2, 0)
}

/** Returns the last of these texts: as many as fit into the size. */
export function keepNewest(texts: string[], maxBytes: number): string[] {
  let bytes = 0
  const oldest = texts.findLastIndex((text) => {
    bytes += countBytes([text])
    return bytes > maxBytes
  })
  return texts.slice(oldest + 1)
}
