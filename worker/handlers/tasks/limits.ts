// The limits of the texts that a tick writes. A longer text is clipped, because the answer is already paid for. A character of
// a text has at most six bytes of JSON. So the largest state has 936 KiB, and the engine stores up to 1 MiB.

/** The longest result of a task, in UTF-16 units. */
export const resultMax = 50_000
/** The longest question, its longest choice, and the most choices. */
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
/** The newest notes up to this size, in bytes of JSON, are not summarised. */
export const recentMaxBytes = 32 * 1024
/** If no summary succeeds, the oldest notes above this size, in bytes of JSON, are removed. */
export const keptMaxBytes = 600 * 1024
