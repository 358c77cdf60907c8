import type { Handler } from '../steps/define_handler.ts'
import generateImage from './dramas/generate_image.ts'
import generateVideo from './dramas/generate_video.ts'
import writeCast from './dramas/write_cast.ts'
import writeOutline from './dramas/write_outline.ts'
import writeScene from './dramas/write_scene.ts'
import writeScript from './dramas/write_script.ts'

/** Every job type that this worker can run, under its name in `job_types`. */
export const handlers: Record<string, Handler> = {
  write_outline: writeOutline,
  write_cast: writeCast,
  write_script: writeScript,
  write_scene: writeScene,
  generate_image: generateImage,
  generate_video: generateVideo,
}
