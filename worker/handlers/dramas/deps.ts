import type { DramaMedia } from '../../adapters/drama_media.ts'
import type { Gemini } from '../../adapters/gemini.ts'
import type { StepContext } from '../../steps/define_handler.ts'
import type { Templates } from '../../templates/resolver.ts'

/** The services that the handlers of dramas need. */
export type DramaDeps = {
  /** The prompts, by version and language. */
  templates: Templates
  gemini: Gemini
  /** The store of a drama's images and videos. */
  media: DramaMedia
}

/** The second argument of a handler of dramas. */
export type DramaContext = StepContext<DramaDeps>
