import type { Gemini } from '../../adapters/gemini.ts'
import type { UserFiles } from '../../adapters/user_files.ts'
import type { StepContext } from '../../steps/define_handler.ts'
import type { GenerationDoor } from './door.ts'

/** The services that the handlers of the studio need. */
export type StudioDeps = {
  gemini: Pick<Gemini, 'drawImage' | 'writeJson'>
  /** The photos of users, and the images made of them. */
  files: UserFiles
  /** The generations in the database. */
  generations: GenerationDoor
}

/** The second argument of the handlers of the studio. */
export type StudioContext = StepContext<StudioDeps>
